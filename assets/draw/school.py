"""Geometry, glue, scissors and the slate."""

from __future__ import annotations

import math

from .palette import (
    AMBER,
    BRASS,
    CREAM,
    GOLD,
    INDIGO,
    INK,
    IRON,
    MARIGOLD,
    PAPER,
    ROSE,
    SKY,
    STEEL,
    SUN,
    VERMILION,
    WHITE,
    WOOD,
)
from .pencils import pencil
from .svg import Shape, at, box, disc, lift, path, poly, stroke
from .writing import barrel

GLASS = "#f6c453"


def ticks(length: float, count: int, y: float, *, colour: str = INK, tall: float = 16) -> Shape:
    """Rule ``count`` divisions along a line centred on the origin, every fifth longer."""
    step = length / count
    marks = "".join(
        f"M{-length / 2 + i * step:.1f} {y} v{tall * (1.6 if i % 5 == 0 else 1)} " for i in range(count + 1)
    )
    return path(marks, stroke=colour, stroke_width=2)


def steel_ruler() -> Shape:
    """A steel ruler of thirty centimetres."""
    body = (
        box(680, 92, STEEL, r=6)
        + box(680, 40, WHITE, y=-22, opacity=0.28)
        + box(680, 92, "none", r=6, stroke=IRON, stroke_width=2)
    )
    fine = path("".join(f"M{-310 + i * 2.0667 * 5:.1f} -46 v9 " for i in range(61)), stroke=INK, stroke_width=1.4)
    other = path(
        "".join(f"M{-310 + i * 26.25:.1f} 46 v-{20 if i % 2 == 0 else 12} " for i in range(24)),
        stroke=VERMILION,
        stroke_width=2,
    )
    hole = disc(15, INK, x=322, opacity=0.75) + disc(15, "none", x=322, stroke=WHITE, stroke_width=3)
    return lift(body) + ticks(620, 30, -46, tall=18) + fine + other + hole


def set_square(a: float, b: float, fill: str = GLASS) -> Shape:
    """Draw a right-angled set square, its corner at the origin, ``a`` to the right and ``b`` up."""
    hole = path(f"M{a * 0.16} {-b * 0.14} H{a * 0.56} L{a * 0.16} {-b * 0.58}Z", WHITE, opacity=0.55)
    marks = "".join(f"M{x} -4 v-{12 if x % 50 else 18} " for x in range(20, int(a) - 30, 10))
    return (
        poly([(0, 0), (a, 0), (0, -b)], fill, opacity=0.88)
        + poly([(0, 0), (a, 0), (0, -b)], "none", stroke=AMBER, stroke_width=3)
        + hole
        + path(marks, stroke=INK, stroke_width=1.6, opacity=0.7)
    )


def protractor(r: float, fill: str = GLASS) -> Shape:
    """Draw a half-round protractor, flat side down on the origin."""
    half = f"M{-r} 0 A{r} {r} 0 0 1 {r} 0Z"
    hole = path(f"M{-r * 0.5} -14 A{r * 0.5} {r * 0.5} 0 0 1 {r * 0.5} -14Z", WHITE, opacity=0.55)
    marks = ""
    for degrees in range(0, 181, 10):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        inner = r * (0.84 if degrees % 30 == 0 else 0.9)
        marks += f"M{c * r * 0.97:.1f} {-s * r * 0.97:.1f} L{c * inner:.1f} {-s * inner:.1f} "
    return (
        path(half, fill, opacity=0.88)
        + path(half, stroke=AMBER, stroke_width=3)
        + hole
        + path(marks, stroke=INK, stroke_width=2, opacity=0.75)
        + disc(4, INK)
    )


def compass(*, divider: bool = False) -> Shape:
    """Draw a pair of compasses, or dividers, open, 300 high."""
    left = path("M-8 -104 L-64 140 L-58 162 L-50 140 L6 -104Z", STEEL) + path("M-64 140 L-58 176 L-50 140Z", IRON)
    right = path("M8 -104 L64 140 L58 162 L50 140 L-6 -104Z", "#d5dbe1") + path("M64 140 L58 176 L50 140Z", IRON)
    holder = (
        ""
        if divider
        else at(56, 96, pencil(VERMILION, w=15, h=170), turn=167) + at(48, 62, box(28, 20, GOLD, r=4), turn=-13)
    )
    knob = barrel(18, -170, -118, STEEL, 6) + disc(25, GOLD, y=-104) + disc(9, BRASS, y=-104)
    return left + right + holder + knob


def geometry_set() -> Shape:
    """The tin open, and its nine pieces laid out."""
    tin = at(0, 196, lift(box(600, 190, INDIGO, r=22), box(580, 170, "#e8edf4", r=14)))
    in_tin = at(-122, 214, lift(compass(divider=True), height=1), turn=88, scale=0.8)
    in_tin += at(110, 160, lift(pencil(MARIGOLD, w=20, h=300, end=INDIGO), height=1), turn=90)
    in_tin += at(96, 236, lift(box(84, 46, WHITE, r=8), box(50, 48, VERMILION, x=16, r=3), height=1))
    in_tin += at(214, 236, lift(box(70, 46, STEEL, r=5), box(42, 22, WHITE, r=2), disc(6, GOLD), height=1))
    rule = at(0, 68, lift(box(560, 52, GLASS, r=4, opacity=0.95), height=1), ticks(520, 15 * 2, -26, tall=10))
    squares = at(-290, 24, lift(set_square(210, 300), height=1)) + at(
        290, 24, lift(at(0, 0, set_square(230, 230), turn=-90), height=1)
    )
    return at(
        0,
        10,
        tin,
        in_tin,
        rule,
        squares,
        at(10, -140, lift(protractor(140), height=1)),
        at(-4, -42, lift(compass(), height=1), turn=90, scale=0.62),
    )


def glue_stick() -> Shape:
    """A glue stick, its cap lying beside it."""
    stick = (
        barrel(96, -208, -110, "#fdf6e3", 16)
        + barrel(128, -124, 214, MARIGOLD, 8)
        + barrel(136, 196, 262, VERMILION, 12)
    )
    ribs = "".join(box(5, 54, INK, x=x, y=230, opacity=0.18) for x in range(-56, 60, 14))
    band = box(128, 150, PAPER, y=36) + box(128, 12, VERMILION, y=-34) + box(128, 12, VERMILION, y=106)
    mark = path(
        "M0 -12 C26 22 34 34 34 50 A34 34 0 0 1 -34 50 C-34 34 -26 22 0 -12Z", VERMILION, transform="translate(0 10)"
    )
    cap = barrel(136, -110, 110, VERMILION, 14) + "".join(
        box(5, 180, WHITE, x=x, opacity=0.12) for x in range(-50, 60, 20)
    )
    smear = stroke("M-250 250 q40 -34 70 0 t70 0", PAPER, 26, opacity=0.85)
    return smear + at(-90, 0, lift(stick, height=3), band, mark, ribs) + at(150, 110, lift(cap), turn=24)


def scissors() -> Shape:
    """A pair of school scissors with round points."""
    blade = path("M-16 40 L-30 -250 Q-24 -284 0 -270 L22 30Z", STEEL) + path(
        "M-4 36 L0 -270 L22 30Z", WHITE, opacity=0.35
    )
    loop = "M0 40 C-30 70 -34 90 -40 120 C-110 120 -130 180 -118 230 C-104 290 -30 296 -4 236 C14 190 10 120 24 60Z"
    hole = "M-40 150 C-86 150 -98 190 -90 222 C-80 258 -40 258 -28 222 C-20 192 -22 164 -40 150Z"
    one = path(loop + hole, VERMILION, fill_rule="evenodd") + stroke(
        "M-46 136 C-96 138 -110 186 -102 222", WHITE, 6, opacity=0.4
    )
    left = at(0, 0, blade, one, turn=17)
    right = f'<g transform="rotate(-17) scale(-1 1)">{blade}{one}</g>'
    return lift(left) + lift(right) + disc(17, GOLD, y=34) + stroke("M-9 28 l18 12", INK, 4)


def slate() -> Shape:
    """A slate in a wooden frame, chalk marks on it, six sticks of chalk."""
    frame = box(560, 440, WOOD, r=26) + box(560, 440, "none", r=26, stroke="#b98349", stroke_width=5)
    grain = "".join(
        stroke(f"M-250 {y} q120 -8 250 0 t250 0", "#b98349", 2, opacity=0.6) for y in (-205, -194, 196, 207)
    )
    board = box(476, 356, "#2f3a3a", r=8) + box(476, 356, "none", r=8, stroke=INK, stroke_width=5)
    lines = "".join(box(440, 2, WHITE, y=y, opacity=0.16) for y in (-80, 0, 80))
    chalk = stroke("M-190 -110 H-70 M-112 -110 V0 M-112 -60 C-170 -84 -188 -20 -140 -20", CREAM, 9, opacity=0.92)
    chalk += stroke(
        "M10 -110 H150 M118 -110 V0 M30 -84 C70 -110 84 -50 44 -50 C90 -54 84 14 30 -6", CREAM, 9, opacity=0.92
    )
    sun = disc(30, "none", x=-120, y=100, stroke=SUN, stroke_width=6) + stroke(
        "M-120 56 v-14 M-76 100 h14 M-164 100 h-14 M-89 69 l10 -10 M-151 69 l-10 -10", SUN, 6
    )
    hill = stroke("M0 136 L60 60 L96 104 L134 70 L196 136", ROSE, 6)
    sticks = "".join(
        at(
            -190 + i * 76,
            276,
            lift(box(64, 26, fill, r=8), box(60, 7, WHITE, y=-6, opacity=0.5), height=1),
            turn=(-6, 4, -3, 7, -4, 3)[i],
        )
        for i, fill in enumerate((WHITE, WHITE, ROSE, SUN, SKY, WHITE))
    )
    return at(0, -36, lift(frame, height=3), grain, board, lines, chalk, sun, hill) + sticks
