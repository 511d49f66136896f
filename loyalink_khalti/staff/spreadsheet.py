"""Cells of CSV and XLSX exports: no text that a customer entered runs as a formula or breaks the file."""

import re
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a formula may begin with, https://owasp.org/www-community/attacks/CSV_Injection; full-width forms as well."""
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Control characters and surrogates, which XML 1.0 and so XLSX cannot hold."""


def safe_cell(value: Any) -> str:
    """Return a text that every spreadsheet can hold and none takes for a formula."""
    text = "" if value is None else _NOT_IN_XML.sub("", str(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) and not isinstance(value, int) else text
