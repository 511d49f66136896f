"""Colours of a shop on pages and in mails: what can be read on them, and what they become on a dark page.

Contrast is that of the Web Content Accessibility Guidelines 2.2, which ask for 4.5 : 1 for text.
https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

import re

WHITE, BLACK = "#ffffff", "#000000"
DARK_PAPER = "#211a2b"
"""``--lk-paper`` of the dark scheme in tokens.css."""
READABLE = 4.5
"""The least contrast of text."""
_HEX = re.compile(r"#([0-9a-f]{6}|[0-9a-f]{3})", re.IGNORECASE)
_STEPS = 50


def is_colour(text: str) -> bool:
    """Return whether ``text`` is a colour such as ``#5c2d91`` or ``#fff``."""
    return _HEX.fullmatch(text) is not None


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21. Raises ``ValueError`` for a text that is no colour."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def text_on(colour: str) -> str:
    """Return white or black, whichever is easier to read on ``colour``: one of them always has 4.5 : 1."""
    return WHITE if contrast(WHITE, colour) >= READABLE else BLACK


def readable(colour: str, *, on: str) -> str:
    """Return ``colour``, or the nearest shade of it, darker or lighter, that can be read as text on ``on``."""
    towards = BLACK if text_on(on) == BLACK else WHITE
    shades = (mix(colour, towards, step / _STEPS) for step in range(_STEPS + 1))
    return next(shade for shade in shades if contrast(shade, on) >= READABLE)


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _rgb(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(colour: str) -> tuple[int, int, int]:
    if (found := _HEX.fullmatch(colour)) is None:
        raise ValueError(f"not a colour like #5c2d91: {colour!r}")
    digits = found[1] if len(found[1]) == 6 else "".join(2 * digit for digit in found[1])
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def mix(colour: str, other: str, share: float) -> str:
    """Return ``colour`` with ``share`` (0 to 1) of the other one in it."""
    mixed = (round(a + (b - a) * share) for a, b in zip(_rgb(colour), _rgb(other), strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)
