"""Bars drawn on the server, inline in the page: no script, no style sheet, no font; told apart without any colour.

Each kind of bar has its own hatching and each bar its figure beside it. Everything is drawn in ``currentColor``, so
that a chart is as light or dark as the page around it.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from django.utils.safestring import SafeString, mark_safe
from pygal.graph.horizontalbar import HorizontalBar
from pygal.style import Style

# For its maps, pygal adds a finder of modules that Python 3.11 warns of at every import, and 3.12 asks no longer.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

WIDTH, ROW, FRAME, FONT = 900, 18, 60, 13
HATCHES = (
    ("M-2 10 L10 -2 M6 10 L10 6 M-2 2 L2 -2", 8, "1.5"),
    ("M1 2 h2 M4 5 h2", 6, "2"),
    ("M0 3 H6", 6, "1.5"),
)
"""A path in a square, the square's side and the width of the line: slanting lines, dots, lying lines."""
_KEPT = frozenset({"g", "defs", "rect", "path", "text"})
"""Of what pygal draws; the rest (a script, styles, what is read out or shown by the script) is not for here."""
_ANCHORS = {"axis y": "end", "axis x": "middle", "legends": "start"}
_LINES = "currentColor"

_PLAIN: dict[str, Any] = {
    "js": (),
    "css": (),
    "disable_xml_declaration": True,
    "margin": 8,
    "margin_right": 130,
    "legend_at_bottom": True,
    "legend_box_size": FONT,
    "truncate_legend": -1,
    "truncate_label": -1,
    "show_x_labels": False,
    "show_y_guides": False,
    "print_values": True,
    "print_values_position": "top",
    "print_zeroes": False,
    "style": Style(label_font_size=FONT, major_label_font_size=FONT, value_font_size=FONT, legend_font_size=FONT),
}
"""No scale: each bar says its figure itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Bars of one kind, one for each label; none is below 0."""

    name: str
    values: Sequence[int]


def chart(
    name: str, title: str, labels: Sequence[str], kinds: Sequence[Bars], say: Callable[[int], str]
) -> SafeString:
    """An SVG of lying bars, the first label on top, each with its figure as ``say`` writes it; "" where all are 0.

    ``name`` tells its hatchings from those of another chart on the page.
    """
    if not any(value for bars in kinds for value in bars.values):
        return SafeString("")
    drawing = HorizontalBar(
        **_PLAIN, width=WIDTH, height=FRAME + ROW * len(labels) * len(kinds), show_legend=len(kinds) > 1,
        legend_at_bottom_columns=len(kinds),
    )  # fmt: skip
    drawing.x_labels = [*labels][::-1]  # pygal begins at the foot
    for bars in kinds:
        drawing.add(bars.name, [{"value": value, "formatter": _unless_none(say)} for value in [*bars.values][::-1]])
    drawing.add_xml_filter(lambda root: _dressed(root, name, title, len(kinds)))
    svg: str = drawing.render(is_unicode=True)
    return mark_safe(svg)  # noqa: S308 - pygal's own XML, in which every text is escaped


def _unless_none(say: Callable[[int], str]) -> Callable[[int], str]:
    """Nothing is written where there is no bar to write it at."""
    return lambda value: say(value) if value else ""


def _dressed(root: Element, name: str, title: str, kinds: int) -> Element:
    """The drawing as a picture for everybody: a name, hatchings and lines of its own, and nothing that runs."""
    _silence(root)
    root.set("id", name)
    root.set("role", "img")
    root.set("aria-label", title)
    root.set("font-size", str(FONT))
    root.set("fill", _LINES)
    words = root.makeelement("title", {})  # of the root's own kind: where lxml is installed, pygal draws with it
    words.text = title
    root.insert(0, words)
    defs = root.find("defs")
    assert defs is not None
    for kind in range(kinds):
        _add_hatching(defs, f"{name}-{kind}", kind)
    for node in root.iter("g"):
        _dress(node, name)
    return root


def _silence(node: Element) -> None:
    for child in list(node):
        if child.tag in _KEPT and child.get("class") != "tooltip":
            _silence(child)
        else:
            node.remove(child)


def _add_hatching(defs: Element, name: str, kind: int) -> None:
    path, side, width = HATCHES[kind % len(HATCHES)]
    square = {"id": name, "width": str(side), "height": str(side), "patternUnits": "userSpaceOnUse"}
    pattern = defs.makeelement("pattern", square)
    line = {"d": path, "stroke": _LINES, "stroke-width": width, "fill": "none"}
    pattern.append(defs.makeelement("path", line))
    defs.append(pattern)


def _dress(node: Element, name: str) -> None:
    """Say with attributes what a style sheet would: no page forbids these."""
    kind = node.get("class", "")
    for begins, anchor in _ANCHORS.items():
        if kind.startswith(begins):
            node.set("text-anchor", anchor)
    for part in node.iter("rect"):
        number = _number(part.get("class", "")) or _number(kind)
        if part.get("class") == "background":
            part.set("fill", "none")
        elif number:
            part.set("fill", f"url(#{name}-{number})")
            part.set("stroke", _LINES)
    if kind.startswith("series"):
        for text in node.iter("text"):
            text.set("text-anchor", "start")  # beside the bar's end
    node.attrib.pop("id", None)  # for its script


def _number(kind: str) -> str:
    """Which kind of bars a class is of: 1 for ``color-1``."""
    return next((word.removeprefix("color-") for word in kind.split() if word.startswith("color-")), "")
