"""Pens, highlighters and ink. A pen is drawn upright on its tip, centred, about 520 high."""

from __future__ import annotations

from .palette import (
    BRASS,
    CREAM,
    GOLD,
    INDIGO,
    INK,
    IRON,
    NIGHT,
    PAPER,
    SKY,
    SPECTRUM,
    STEEL,
    VERMILION,
    WHITE,
)
from .svg import Shape, at, box, clip, disc, gleam, lift, oval, path, poly, stroke


def barrel(w: float, top: float, bottom: float, fill: str, r: float = 0) -> Shape:
    """Draw a round body from ``top`` to ``bottom``: light from the left."""
    h, y = bottom - top, (top + bottom) / 2
    sheen = box(w * 0.16, h - 8, WHITE, x=-w * 0.24, y=y, r=w * 0.08, opacity=0.42)
    dark = clip(box(w, h, WHITE, y=y, r=r), box(w * 0.3, h, INK, x=w * 0.36, y=y, opacity=0.16))
    return box(w, h, fill, y=y, r=r) + dark + sheen


def ball_pen() -> Shape:
    """A blue ball pen with its clip."""
    tip = poly([(-17, 168), (17, 168), (6, 238), (-6, 238)], STEEL) + poly(
        [(2, 168), (17, 168), (6, 238), (2, 238)], IRON
    )
    point = poly([(-4, 238), (4, 238), (2, 256), (-2, 256)], BRASS)
    body = barrel(38, -206, 172, INDIGO, 5) + barrel(40, 60, 150, SKY, 4)
    grip = "".join(box(40, 4, INDIGO, y=y, opacity=0.5) for y in range(74, 146, 12))
    push = barrel(20, -254, -200, STEEL, 6) + barrel(42, -214, -190, STEEL, 4)
    clip_ = lift(box(11, 150, STEEL, x=14, y=-128, r=5), height=1) + box(3, 140, WHITE, x=12, y=-128, opacity=0.7)
    return lift(push, body, grip, tip, point) + clip_


def gel_pen(fill: str) -> Shape:
    """A capped gel pen, slim, in its colour."""
    body = barrel(30, -60, 236, "#f6f1e6", 6) + box(14, 240, fill, y=84, r=6, opacity=0.85)
    cap = barrel(36, -244, -56, fill, 10) + box(36, 8, WHITE, y=-64, opacity=0.5)
    clip_ = box(8, 120, fill, x=12, y=-166, r=4) + box(8, 120, INK, x=12, y=-166, r=4, opacity=0.28)
    return body + cap + clip_ + barrel(30, 222, 246, fill, 6)


def gel_pens() -> Shape:
    """Ten gel pens in a clear sleeve."""
    hues = [SPECTRUM[i] for i in (1, 3, 5, 8, 10, 13, 15, 17, 19, 23)]
    row = "".join(at(-198 + i * 44, 0, lift(gel_pen(hue), height=1)) for i, hue in enumerate(hues))
    sleeve = box(484, 400, WHITE, y=80, r=14, opacity=0.2) + box(
        484, 400, "none", y=80, r=14, stroke=WHITE, stroke_width=4
    )
    shine = clip(box(484, 400, WHITE, y=80, r=14), gleam("M-240 260 L40 -130 H110 L-170 290Z", 0.2))
    label = (
        box(484, 74, CREAM, y=196)
        + box(484, 7, VERMILION, y=162)
        + "".join(disc(11, hue, x=-180 + i * 40, y=196) for i, hue in enumerate(hues))
    )
    return row + lift(sleeve, height=1) + label + shine


def fountain_pen() -> Shape:
    """A fountain pen, its cap beside it."""
    nib = path("M-19 150 C-22 190 -10 220 0 262 C10 220 22 190 19 150Z", GOLD)
    nib += path("M0 262 C10 220 22 190 19 150 H2Z", BRASS) + disc(5, NIGHT, y=190) + stroke("M0 192 V256", NIGHT, 2)
    section = path("M-19 84 H19 L17 154 Q0 162 -17 154Z", NIGHT) + box(5, 62, WHITE, x=-8, y=118, opacity=0.25)
    body = path("M-25 -190 Q-24 -250 0 -254 Q24 -250 25 -190 V90 H-25Z", INDIGO) + barrel(50, -190, 82, INDIGO)
    bands = barrel(52, 72, 86, GOLD, 2) + barrel(51, -196, -188, GOLD, 2)
    cap = barrel(60, -130, 92, INDIGO, 14) + barrel(63, 64, 90, GOLD, 3) + barrel(60, -136, -112, GOLD, 10)
    clip_ = lift(path("M8 -104 H22 V46 Q15 62 8 46Z", GOLD), height=1)
    pen = at(-52, 0, lift(nib, section, body, bands))
    return pen + at(80, 24, lift(cap), clip_)


def ink_bottle(ink: str = INDIGO) -> Shape:
    """A bottle of ink with a cut-glass shoulder."""
    glass = "M-150 -60 Q-150 -104 -96 -112 H96 Q150 -104 150 -60 V170 Q150 204 116 204 H-116 Q-150 204 -150 170Z"
    level = clip(path(glass, WHITE), box(300, 270, ink, y=92), oval(150, 14, SKY, y=-42, opacity=0.5))
    body = path(glass, "#c7d6ea") + level
    shine = gleam("M-132 -50 Q-130 -86 -96 -92 H-84 Q-112 -80 -112 -48 V150 H-132Z", 0.55) + gleam(
        "M118 -40 h12 V160 h-12Z", 0.25
    )
    label = box(196, 150, CREAM, y=66, r=6) + box(178, 132, "none", y=66, r=3, stroke=GOLD, stroke_width=3)
    drop = path("M0 14 C28 52 38 66 38 84 A38 38 0 0 1 -38 84 C-38 66 -28 52 0 14Z", ink) + gleam(
        "M-22 84 a22 22 0 0 0 16 22 q-10 -8 -10 -24Z", 0.6
    )
    neck = barrel(130, -134, -104, "#a9bcd8") + barrel(168, -222, -126, NIGHT, 12)
    ribs = "".join(box(4, 78, WHITE, x=x, y=-172, opacity=0.14) for x in range(-70, 80, 14)) + barrel(
        168, -140, -126, GOLD, 4
    )
    return lift(neck, body, ribs, height=3) + shine + label + drop


def highlighter(fill: str) -> Shape:
    """A broad highlighter, its chisel tip up, the cap off."""
    tip = poly([(-14, -142), (14, -160), (14, -118), (-14, -118)], fill) + poly(
        [(-20, -120), (20, -120), (27, -78), (-27, -78)], INK
    )
    body = barrel(66, -84, 220, fill, 12) + box(66, 14, INK, y=-60, opacity=0.8)
    return tip + body + box(38, 130, PAPER, y=84, r=8, opacity=0.85) + box(20, 90, fill, y=84, r=6)


def highlighters() -> Shape:
    """Five highlighters under the five lines they have drawn."""
    hues = ("#ffe14d", "#7ed957", "#ff8fb1", "#ff9f45", "#6fc7f2")
    lines = "".join(
        path(
            f"M-262 {y} Q-100 {y - 5} 60 {y} T{end} {y} v22 Q100 {y + 17} -40 {y + 24} T-262 {y + 22}Z",
            hue,
            opacity=0.85,
        )
        for hue, y, end in zip(hues, range(-262, 0, 34), (240, 170, 262, 200, 120), strict=False)
    )
    pens = "".join(at(-188 + i * 94, 84, lift(highlighter(hue))) for i, hue in enumerate(hues))
    return lift(box(580, 216, PAPER, y=-180, r=4), height=1) + lines + pens


def ink_line(colour: str) -> Shape:
    """Draw a flowing line of ink, as a pen leaves it."""
    return stroke(
        "M-240 20 C-200 -60 -150 -50 -150 10 S-90 70 -70 0 S-10 -60 0 10 S60 60 80 0 S130 -40 140 10 S190 40 240 -10",
        colour,
        7,
    )
