"""Search rows by the beginnings of words: ``sit mah`` finds Sita Maharjan. PostgreSQL uses an index for it.

PostgreSQL keeps the words in a GIN index of lexemes exactly as they are here, without dictionary and parser, so that
any script works. Other databases compare the text, which is fast enough for the number of rows that they serve.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from django.db import models

_MAX_WORDS = 20
"""How many words of a query are used."""
_MAX_WORD_LENGTH = 200
"""How many characters of a word are kept: PostgreSQL refuses lexemes above 2 KB."""
_PHONE = re.compile(r"^\+?(?=.*\d)[\d\-()]{7,}$")
_COUNTRY_CODE = "977"
_LIKE_SPECIAL, _LIKE_ESCAPED = re.compile(r"([!%_])"), r"!\1"


def search_text_of(texts: Iterable[str | None]) -> str:
    """Return all words of some texts, each once, as a ``SearchTextField`` stores them."""
    return " ".join(dict.fromkeys(word for text in texts for word in _words(text or "")))


def _words(text: str) -> list[str]:
    """Split into words in lower case, with normalized letters and without quotes; phone numbers as digits."""
    cleaned = unicodedata.normalize("NFKC", text).casefold().replace("\\", " ").replace("'", " ").replace("\0", " ")
    return [_digits(word) if _PHONE.match(word) else word[:_MAX_WORD_LENGTH] for word in cleaned.split()]


def _digits(phone: str) -> str:
    """The digits of a phone number without the country code, however it was typed."""
    digits = re.sub(r"\D", "", phone)
    return digits.removeprefix(_COUNTRY_CODE) if len(digits) > len(_COUNTRY_CODE) + 6 else digits


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
        query = " & ".join(f"'{word}':*" for word in self._query_words())
        return f"{lexemes(field)} @@ CAST(%s AS tsquery)", [*params, query]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        field, params = self.process_lhs(compiler, connection)
        patterns = [f"% {_LIKE_SPECIAL.sub(_LIKE_ESCAPED, word)}%" for word in self._query_words()]
        test = f"(' ' || {field}) LIKE %s ESCAPE '!'"
        values = tuple(value for pattern in patterns for value in (*params, pattern))
        return " AND ".join([test] * len(patterns)) or "1 = 0", values

    def _query_words(self) -> list[str]:
        return _words(str(self.rhs))[:_MAX_WORDS]


def lexemes(column: str) -> str:
    """Return the SQL for the words of a column on PostgreSQL. Migrations index this very expression."""
    return f"array_to_tsvector(string_to_array({column}, ' '))"
