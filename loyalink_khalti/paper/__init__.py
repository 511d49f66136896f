"""What is printed: pages of A4 as PDF files and as HTML, for the shop's customers and for staff."""

import importlib.util


def can_make_pdf() -> bool:
    """Return whether the libraries of the extra ``pdf`` are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("fpdf", "uharfbuzz"))
