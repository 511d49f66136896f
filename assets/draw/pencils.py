"""Pencils and what goes with them. A pencil is drawn point up, centred, 480 high."""

from __future__ import annotations

from .palette import (
    AMBER,
    CREAM,
    FOREST,
    GOLD,
    INDIGO,
    INK,
    IRON,
    MARIGOLD,
    NIGHT,
    PAPER,
    SPECTRUM,
    STEEL,
    VERMILION,
    WHITE,
    WOOD,
)
from .svg import Shape, at, box, clip, disc, lift, path, polar, poly, stroke

BARE = "#efcf9b"


def pencil(fill: str, lead: str = INK, *, w: float = 30, h: float = 480, end: str | None = None) -> Shape:
    """Draw a six-sided pencil; ``end`` is the colour of its dipped end."""
    top, point, third = -h / 2, w * 1.75, w / 3
    cone = poly([(-w / 2, top + point), (0, top), (w / 2, top + point)], BARE)
    tip = poly([(-w * 0.14, top + point * 0.28), (0, top), (w * 0.14, top + point * 0.28)], lead)
    scallop = f"M{-w / 2} {top + point - 2}" + f" q{third / 2} {-w * 0.28} {third} 0" * 3
    body = path(f"{scallop} V{h / 2} H{-w / 2}Z", fill)
    sides = box(third, h - point, WHITE, x=-third, y=point / 2, opacity=0.22) + box(
        third, h - point, INK, x=third, y=point / 2, opacity=0.2
    )
    dipped = box(w, 34, end, y=h / 2 - 17) + box(w, 5, GOLD, y=h / 2 - 40) if end else ""
    return cone + tip + body + sides + dipped


def hb_pencils() -> Shape:
    """Ten pencils coming out of their box."""
    row = "".join(
        at(-189 + i * 42, -40 - (i % 2) * 14, lift(pencil(VERMILION, w=36, h=470, end=NIGHT), height=1))
        for i in range(10)
    )
    front = box(450, 300, MARIGOLD, y=150, r=8) + box(450, 300, "none", y=150, r=8, stroke=AMBER, stroke_width=6)
    mouth = path("M-225 0 H225 V30 Q0 62 -225 30Z", AMBER)
    badge = disc(74, PAPER, y=170) + disc(64, "none", y=170, stroke=VERMILION, stroke_width=4)
    letters = stroke(
        "M-34 142 V198 M-34 170 H-8 M-8 142 V198 "
        "M12 142 V198 M12 142 H26 q16 0 16 13 q0 14 -16 14 H12 M26 169 q18 0 18 14 q0 15 -18 15 H12",
        VERMILION,
        8,
    )
    return row + lift(front, mouth) + badge + letters


def sketch_pencils() -> Shape:
    """Twelve graphite pencils in their tin."""
    tin = box(600, 520, IRON, r=26) + box(584, 504, STEEL, r=22) + box(556, 476, "#4b5058", r=14)
    row = ""
    for i in range(12):
        grey = INK if i % 2 else "#35323d"
        bands = box(34, 8, GOLD, y=150) + box(34, 8, GOLD, y=136, opacity=0.4 + 0.05 * i)
        row += at(-242 + i * 44, 0, lift(pencil(grey, "#5a5f68", w=34, h=440), bands, height=1))
    return (
        lift(tin, height=3)
        + row
        + box(540, 46, CREAM, y=40, r=4, opacity=0.95)
        + box(528, 34, "none", y=40, r=2, stroke=INK, stroke_width=2)
        + _scribble()
    )


def _scribble() -> Shape:
    steps = (6.5, 5.8, 5, 4.2, 3.4, 2.8, 2.2, 1.6, 1.1)
    return "".join(
        stroke(f"M{-230 + i * 54} 46 q8 -16 14 -2 q6 14 13 -2 q6 -12 13 4", IRON, w) for i, w in enumerate(steps)
    )


def colour_pencils() -> Shape:
    """Twenty-four colour pencils, their points in a wave."""
    lifts = [0, 14, 26, 36, 42, 44, 42, 36, 26, 14, 0, -10]
    row = "".join(
        at(-276 + i * 24, 30 - lifts[i % 12] * (1 if i < 12 else -0.6), pencil(hue, hue, w=22, h=460))
        for i, hue in enumerate(SPECTRUM)
    )
    band = box(600, 120, CREAM, y=180, r=10) + box(600, 8, VERMILION, y=134) + box(600, 8, VERMILION, y=226)
    dots = "".join(disc(8, hue, x=-253 + i * 22, y=180) for i, hue in enumerate(SPECTRUM))
    return lift(row) + lift(band, height=1) + dots


def eraser() -> Shape:
    """A white eraser in its sleeve, a line half rubbed out."""
    marks = stroke("M-270 150 q24 -40 48 0 t48 0 t48 0 t48 0", IRON, 7) + stroke(
        "M-60 150 q24 -40 48 0 t48 0 t48 0", IRON, 7, opacity=0.16
    )
    crumbs = "".join(
        stroke(f"M{x} {y} q6 -7 13 -1", INK, 5, opacity=0.4)
        for x, y in ((40, 196), (74, 218), (116, 188), (150, 226), (12, 232), (182, 196))
    )
    rubber = box(330, 150, "#e4ddd0", r=24, x=6, y=10) + box(330, 150, WHITE, r=22)
    worn = path("M-165 20 q0 55 55 55 h-30 q-25 -4 -25 -30Z", "#cfc8bb")
    sleeve = (
        box(216, 158, INDIGO, x=62, y=1, r=5) + box(216, 26, VERMILION, x=62, y=-24) + box(216, 10, WHITE, x=62, y=2)
    )
    side = box(216, 18, INK, x=62, y=71, opacity=0.2)
    return marks + crumbs + at(40, -40, lift(rubber, worn, sleeve, side), turn=-28)


def sharpener() -> Shape:
    """A metal sharpener, three curls of shaving beside it."""
    block = path("M-170 -104 H170 V104 H-170 Q-130 0 -170 -104Z", STEEL)
    side = path("M-170 104 H170 V128 H-166Z", IRON)
    ribs = "".join(box(5, 206, IRON, x=x, opacity=0.4) for x in (-112, -98, -84, 110, 124, 138))
    wedge = path("M-70 104 L-30 34 H96 V104Z", "#5f6872") + path(
        "M-70 104 L-30 34 H96 V52 H-26 L-56 104Z", INK, opacity=0.3
    )
    blade = (
        path("M-66 -84 H92 V20 L-66 44Z", "#eef1f5")
        + stroke("M-66 44 L92 20", IRON, 5)
        + stroke("M-66 34 L92 10", STEEL, 3)
    )
    screw = disc(21, GOLD, x=16, y=-36) + stroke("M4 -46 l24 20", INK, 5)
    shine = path("M-164 -98 H164 v12 H-158Z", WHITE, opacity=0.6)
    curls = "".join(
        at(x, y, lift(_curl(hue), height=1), turn=turn)
        for x, y, turn, hue in ((-170, 210, -10, VERMILION), (20, 250, 50, FOREST), (190, 180, 110, MARIGOLD))
    )
    return curls + at(
        0, -100, lift(block, side, height=3), ribs, wedge, lift(blade, height=1), screw, shine, turn=-8, scale=1.2
    )


def _curl(rim: str) -> Shape:
    """Draw a shaving: a fan of wood with a frilled, painted rim."""
    rays = [polar(62 if i % 2 else 72, -110 + i * 11) for i in range(21)]
    heart = [polar(16, 110 - i * 22) for i in range(11)]
    edge = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in rays)
    grain = "".join(f"M{x * 0.4:.1f} {y * 0.4:.1f} L{x * 0.8:.1f} {y * 0.8:.1f} " for x, y in rays[1::3])
    return poly([*rays, *heart], BARE) + stroke(grain, WOOD, 3) + stroke(edge, rim, 7)


def shut_tin(fill: str = FOREST) -> Shape:
    """A closed pencil tin, to lay in a scene."""
    return lift(
        box(420, 170, fill, r=22),
        box(396, 146, "none", r=14, stroke=GOLD, stroke_width=4),
        clip(box(420, 170, WHITE, r=22), box(420, 26, WHITE, y=-72, opacity=0.2)),
    )
