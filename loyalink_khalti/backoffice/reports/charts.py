"""Horizontal bar charts as inline SVG, rendered by a Django template: no script, style sheet or font.

Each series has its own hatching and each bar its figure beside it, so that a chart reads without colour. Everything is
drawn in ``currentColor``, so that a chart follows Wagtail's light and dark themes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.text import Truncator

WIDTH, BAR, GAP, FONT = 900, 18, 6, 13
"""In pixels: the chart, the height of a bar, the space between groups of bars, and the height of the text."""
CHARACTER = 8
"""Estimated width of one character, in pixels."""
VALUE_WIDTH = 130
"""Space for a figure at the end of the longest bar."""
LONGEST_LABEL = 50
"""Longer labels are cut; the table beside the chart has all of them."""

HATCHES = (
    {"path": "M-2 10 L10 -2 M6 10 L10 6 M-2 2 L2 -2", "side": 8, "stroke": "1.5"},  # slanting lines
    {"path": "M1 2 h2 M4 5 h2", "side": 6, "stroke": "2"},  # dots
    {"path": "M0 3 H6", "side": 6, "stroke": "1.5"},  # horizontal lines
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One value for each label, 0 or more, drawn with one hatching."""

    name: str
    values: Sequence[int]


def bar_chart(
    name: str, title: str, labels: Sequence[str], series: Sequence[Series], format_value: Callable[[int], str]
) -> SafeString:
    """Return an SVG with a group of bars for each label, the first on top; "" if every value is 0.

    ``format_value`` formats the figure beside a bar. ``name`` must be unique on the page: it prefixes the SVG's ids.
    """
    largest = max((value for one in series for value in one.values), default=0)
    if not largest:
        return SafeString("")
    names = [Truncator(label).chars(LONGEST_LABEL) for label in labels]
    left = CHARACTER * max(map(len, names)) + 2 * GAP
    scale = (WIDTH - left - VALUE_WIDTH) / largest
    group = BAR * len(series) + GAP
    context = {
        "name": name,
        "title": title,
        "width": WIDTH,
        "height": group * len(labels) + (2 * BAR if len(series) > 1 else 0),
        "font": FONT,
        "bar_height": BAR - 2,
        "hatches": [HATCHES[number % len(HATCHES)] for number in range(len(series))],
        "labels": [
            {"text": text, "x": left - GAP, "y": _middle(group * row, group)} for row, text in enumerate(names)
        ],
        "bars": list(_bars(series, left, scale, group, format_value)),
        "legend": list(_legend(series, left, group * len(labels))) if len(series) > 1 else [],
    }
    return render_to_string("loyalink_khalti/backoffice/reports/chart.html", context)


def _bars(
    series: Sequence[Series], left: int, scale: float, group: int, format_value: Callable[[int], str]
) -> Iterator[dict[str, Any]]:
    for number, one in enumerate(series):
        for row, value in enumerate(one.values):
            top, width = group * row + BAR * number, round(value * scale)
            figure = format_value(value) if value else ""
            yield {
                "series": number, "x": left, "y": top + GAP // 2, "width": width,
                "figure": figure, "figure_x": left + width + GAP, "figure_y": _middle(top, BAR + GAP),
            }  # fmt: skip


def _legend(series: Sequence[Series], left: int, top: int) -> Iterator[dict[str, Any]]:
    x = left
    for number, one in enumerate(series):
        yield {"series": number, "name": one.name, "x": x, "y": top + BAR, "text_x": x + BAR + GAP,
               "text_y": _middle(top + BAR, BAR)}  # fmt: skip
        x += CHARACTER * len(one.name) + 3 * BAR


def _middle(top: int, height: int) -> int:
    """Return the baseline of a text in the middle of a strip."""
    return top + (height + FONT) // 2 - 2
