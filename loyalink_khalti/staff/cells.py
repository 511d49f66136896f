"""Cells of a file that a spreadsheet opens: nothing that somebody typed at the checkout may run there."""

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # full width, which some spreadsheets take too


def safe(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) and not isinstance(value, int) else text
