"""Rows found by the beginnings of words (``sit mah`` finds Sita Maharjan), by an index where the database has one.

PostgreSQL keeps the words in a GIN index of lexemes exactly as they are here: no dictionary, no parser, any script.
Other databases compare the text, which is fine for as many rows as they are good for.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from django.db import models

_MOST = 20
"""Words that are looked for at once."""
_LONGEST = 200
"""Characters of one word that are kept: PostgreSQL takes no lexeme above 2 KB."""
_PHONE = re.compile(r"^\+?(?=.*\d)[\d\-()]{7,}$")
_COUNTRY = "977"
_ANY, _ESCAPED = re.compile(r"([!%_])"), r"!\1"
"""What LIKE takes for more than itself."""


def words_of(texts: Iterable[str | None]) -> str:
    """All words of some texts, each once, as a ``WordsField`` keeps them."""
    return " ".join(dict.fromkeys(word for text in texts for word in _words(text or "")))


def _words(text: str) -> list[str]:
    """Lower case, one form of each letter, no quotes, which a query has for itself; phones as digits."""
    cleaned = unicodedata.normalize("NFKC", text).casefold().replace("\\", " ").replace("'", " ").replace("\0", " ")
    return [_digits(word) if _PHONE.match(word) else word[:_LONGEST] for word in cleaned.split()]


def _digits(phone: str) -> str:
    """A number as it is dialled within the country, however it was typed."""
    digits = re.sub(r"\D", "", phone)
    return digits.removeprefix(_COUNTRY) if len(digits) > len(_COUNTRY) + 6 else digits


class WordsField(models.TextField):  # type: ignore[type-arg]  # Django's own is no generic
    """What ``words_of`` gives; filter it by ``__has_words="what somebody has typed"``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"blank": True, "default": "", "editable": False, **kwargs})


@WordsField.register_lookup
class HasWords(models.Lookup):
    """Each typed word begins a word of the row; nothing typed finds nothing."""

    lookup_name = "has_words"
    prepare_rhs = False

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        field, params = self.process_lhs(compiler, connection)
        query = " & ".join(f"'{word}':*" for word in self._typed())
        return f"{lexemes(field)} @@ CAST(%s AS tsquery)", [*params, query]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        field, params = self.process_lhs(compiler, connection)
        patterns = [f"% {_ANY.sub(_ESCAPED, word)}%" for word in self._typed()]
        test = f"(' ' || {field}) LIKE %s ESCAPE '!'"
        each = tuple(value for pattern in patterns for value in (*params, pattern))
        return " AND ".join([test] * len(patterns)) or "1 = 0", each

    def _typed(self) -> list[str]:
        return _words(str(self.rhs))[:_MOST]


def lexemes(column: str) -> str:
    """The words of a column as PostgreSQL's index has them: the very expression that migrations index."""
    return f"array_to_tsvector(string_to_array({column}, ' '))"
