"""Cells of a file that a spreadsheet opens: nothing that somebody typed at the checkout may run or break it there."""

import re
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # full width, which some spreadsheets take too
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no workbook can hold, as XML cannot: control characters and halves of characters."""


def safe(value: Any) -> str:
    """A cell that every spreadsheet can hold and none takes for a formula."""
    text = "" if value is None else _NO_TEXT.sub("", str(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) and not isinstance(value, int) else text
