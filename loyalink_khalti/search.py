"""Search rows by the beginnings of words: ``sit mah`` finds Sita Maharjan. PostgreSQL uses an index for it.

PostgreSQL keeps the words in a GIN index of lexemes exactly as they are here, without dictionary and parser, so that
any script works. Other databases compare the text, which is fast enough for the number of rows that they serve.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from django.db import models

from loyalink_khalti.nepal import ascii_digits

_MAX_WORDS = 20
"""How many words of a query are used."""
_MAX_WORD_LENGTH = 200
"""How many characters of a word are kept: PostgreSQL refuses lexemes above 2 KB."""
_PHONE = re.compile(r"^\+?(?=.*\d)[\d\-()]{7,}$")
_COUNTRY_CODE = "977"
_NUMERIC = re.compile(r"^\+?(?=.*\d)[\d\-().]+$")
"""A word that may be a part of a phone number."""
_PHONE_DIGITS = range(7, 18)
_LIKE_SPECIAL, _LIKE_ESCAPED = re.compile(r"([!%_])"), r"!\1"


def search_text_of(texts: Iterable[str | None]) -> str:
    """Return all words of some texts, each once, as a ``SearchTextField`` stores them."""
    return " ".join(dict.fromkeys(word for text in texts for word in _stored(text or "")))


def _stored(text: str) -> Iterator[str]:
    """The words of a text, and each phone number in it from its first group, its second and so on, without spaces."""
    for words in _groups(text):
        yield from map(_word, words)
        for start in range(len(words)):
            yield from _whole_numbers(words[start:])


def _groups(text: str) -> Iterator[list[str]]:
    """Split into words in lower case, with normalized letters and without quotes; adjacent numbers are one group."""
    cleaned = unicodedata.normalize("NFKC", text).casefold().replace("\\", " ").replace("'", " ").replace("\0", " ")
    for is_numeric, words in groupby(cleaned.split(), key=lambda word: bool(_NUMERIC.match(word))):
        if is_numeric:
            yield [ascii_digits(word) for word in words]
        else:
            yield from ([word] for word in words)


def _word(word: str) -> str:
    return _digits(word) if _PHONE.match(word) else word[:_MAX_WORD_LENGTH]


def _digits(phone: str) -> str:
    """The digits of a phone number without the country code, however it was typed."""
    digits = re.sub(r"\D", "", phone)
    return digits.removeprefix(_COUNTRY_CODE) if len(digits) > len(_COUNTRY_CODE) + 6 else digits


def _whole_numbers(words: list[str]) -> Iterator[str]:
    """The phone number that some words are, if they are one: as dialled from abroad or, if Nepali, within Nepal."""
    digits = re.sub(r"\D", "", "".join(words)) if _NUMERIC.match(words[0]) else ""
    if len(digits) in _PHONE_DIGITS:
        yield _digits(re.sub(r"^00?", "", digits))


_Condition = list[list[str]]


class SearchTextField(models.TextField):  # type: ignore[type-arg]  # Django's own is no generic
    """A column for ``search_text_of``. Filter it by ``__matches="what the user typed"``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"blank": True, "default": "", "editable": False, **kwargs})


@SearchTextField.register_lookup
class Matches(models.Lookup):
    """Find rows where each typed word begins a word of the row. An empty query finds nothing."""

    lookup_name = "matches"
    prepare_rhs = False

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        field, params = self.process_lhs(compiler, connection)
        query = _joined(self._conditions(), lambda word: f"'{word}':*", " & ", " | ")
        return f"{lexemes(field)} @@ CAST(%s AS tsquery)", [*params, query]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        field, params = self.process_lhs(compiler, connection)
        test = f"(' ' || {field}) LIKE %s ESCAPE '!'"
        conditions = self._conditions()
        words = [word for condition in conditions for alternative in condition for word in alternative]
        patterns = [f"% {_LIKE_SPECIAL.sub(_LIKE_ESCAPED, word)}%" for word in words]
        values = tuple(value for pattern in patterns for value in (*params, pattern))
        return _joined(conditions, lambda _word: test, " AND ", " OR ") or "1 = 0", values

    def _conditions(self) -> list[_Condition]:
        """What must all be found: for each group of words alternatives, each of which is some words."""
        groups = list(_groups(str(self.rhs)))[:_MAX_WORDS]
        return [list(_alternatives(words[:_MAX_WORDS])) for words in groups]


def _alternatives(words: list[str]) -> Iterator[list[str]]:
    yield [_word(word) for word in words]
    yield from ([number] for number in _whole_numbers(words) if [number] != [_word(word) for word in words])


def _joined(conditions: list[_Condition], term: Callable[[str], str], every: str, any_of: str) -> str:
    """Write conditions in the language of a database."""
    either = (
        any_of.join(f"({every.join(map(term, alternative))})" for alternative in condition) for condition in conditions
    )
    return every.join(f"({condition})" for condition in either)


def lexemes(column: str) -> str:
    """Return the SQL for the words of a column on PostgreSQL. Migrations index this very expression."""
    return f"array_to_tsvector(string_to_array({column}, ' '))"
