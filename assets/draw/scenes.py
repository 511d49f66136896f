"""Pictures of several products together: one for each category, and the home page's."""

from __future__ import annotations

from collections.abc import Callable

from . import art, books, office, paper, pencils, school, writing
from .motifs import dhaka, flags, hills, lamp, lotus, marigold
from .palette import (
    CREAM,
    DEEP_RED,
    FOREST,
    GOLD,
    INDIGO,
    INK,
    LOKTA,
    MARIGOLD,
    NIGHT,
    PLUM,
    SKY,
    SUN,
    TEAL,
    VERMILION,
    WALNUT,
    WHITE,
)
from .pictures import BLUSH, CLAY, HONEY, LILAC, MIST, SAGE, SAND, backdrop
from .svg import Shape, at, box, clip, disc, lift, page, path, poly, stroke


def _category(ground: str, *things: Shape) -> str:
    return page(800, 600, backdrop(800, 600, ground), *things)


def _notebooks() -> str:
    return _category(
        MIST,
        at(232, 300, books.spiral_notebook(), turn=-14, scale=0.86),
        at(568, 304, books.exercise_copy(), turn=12, scale=0.86),
        at(402, 310, books.dhaka_notebook(), turn=-2, scale=0.9),
    )


def _lokta() -> str:
    return _category(
        BLUSH,
        at(250, 300, paper.wrapping_sheets(), turn=-10, scale=0.72),
        at(420, 470, paper.envelope(330, 210, LOKTA), turn=-6),
        at(566, 292, books.lokta_journal(), turn=7, scale=0.9),
    )


def _cards() -> str:
    return _category(
        LILAC,
        at(400, 250, paper.gift_envelopes(), scale=0.62),
        at(222, 322, paper.tihar_cards(), turn=-8, scale=0.74),
        at(566, 318, paper.dashain_cards(), turn=4, scale=0.78),
        at(404, 548, marigold(1.1)),
        at(352, 562, marigold(0.8, VERMILION, DEEP_RED)),
    )


def _pens() -> str:
    return _category(
        HONEY,
        at(196, 304, writing.gel_pens(), turn=-8, scale=0.66),
        at(462, 346, writing.ink_bottle(), scale=0.8),
        at(664, 296, writing.fountain_pen(), turn=14, scale=0.84),
    )


def _pencils() -> str:
    return _category(
        SAGE,
        at(212, 300, books.sketchbook(), turn=-8, scale=0.8),
        at(548, 292, pencils.colour_pencils(), turn=6, scale=0.7),
        at(316, 496, pencils.eraser(), scale=0.34),
    )


def _art() -> str:
    return _category(
        CLAY,
        at(240, 270, art.watercolours(), turn=-8, scale=0.68),
        at(606, 280, art.brushes(), turn=7, scale=0.6),
        at(400, 500, art.pigments(), turn=3, scale=0.34),
    )


def _school() -> str:
    return _category(
        SAND,
        at(260, 290, school.slate(), turn=-7, scale=0.76),
        at(590, 200, lift(school.protractor(150)), turn=10),
        at(470, 500, lift(school.set_square(270, 220)), turn=-6),
        at(600, 330, school.scissors(), turn=42, scale=0.5),
        at(300, 544, school.steel_ruler(), turn=-3, scale=0.66),
    )


def _office() -> str:
    return _category(
        MIST,
        at(196, 292, books.khata(), turn=-9, scale=0.84),
        at(560, 170, paper.sticky_notes(), turn=6, scale=0.5),
        at(540, 410, office.stapler(), turn=-4, scale=0.64),
    )


def _bags() -> str:
    return _category(
        SAGE,
        at(590, 280, office.tote(), turn=8, scale=0.76),
        at(240, 312, office.school_bag(), turn=-3, scale=0.82),
        at(478, 452, office.pencil_case(), turn=-6, scale=0.48),
    )


CATEGORIES: dict[str, Callable[[], str]] = {
    "notebooks": _notebooks,
    "lokta-paper": _lokta,
    "festive-cards": _cards,
    "pens-ink": _pens,
    "pencils-drawing": _pencils,
    "art-calligraphy": _art,
    "school-geometry": _school,
    "office-filing": _office,
    "bags-cases": _bags,
}


def hero() -> str:
    """Give the home page's picture, 1600 by 900: a desk before the mountains, its left side calm for words."""
    strings = flags(-40, 50, 820, -14, sag=70, count=15, size=0.84) + flags(
        820, -14, 1650, 70, sag=74, count=15, size=0.84
    )
    return page(1600, 900, _morning(), strings, _desk(), _left_of_desk(), _right_of_desk())


def _morning() -> Shape:
    sky = box(1600, 900, "#fbe6c2", x=800, y=450)
    glow = "".join(disc(r, WHITE, x=1010, y=400, opacity=0.16) for r in (620, 470, 340, 230))
    sun = disc(118, SUN, x=1010, y=400) + disc(96, "#ffdc85", x=1010, y=400)
    snow = hills(
        1600, 700,
        [(60, 600), (190, 470), (290, 560), (430, 400), (560, 540), (700, 350), (860, 520), (1010, 420), (1120, 500),
         (1270, 330), (1400, 500), (1500, 410), (1570, 500)],
        "#a9bfdc", "#fdfaf4",
    )  # fmt: skip
    blue = hills(
        1600,
        760,
        [(0, 610), (160, 560), (360, 640), (560, 570), (780, 650), (1000, 580), (1230, 650), (1440, 560), (1600, 620)],
        SKY,
    )
    green = path("M0 690 Q180 600 400 660 T820 640 T1240 650 T1600 620 V780 H0Z", "#6f9c76")
    near = path("M0 730 Q260 660 520 710 T1040 700 T1600 700 V800 H0Z", FOREST)
    return sky + glow + sun + snow + blue + green + at(640, 690, _temple(), scale=0.9) + near


def _temple() -> Shape:
    """Draw a three-roofed temple on its steps."""
    steps = "".join(box(w, 16, "#a5673f", y=y) for w, y in ((190, 22), (160, 8)))
    parts = steps
    for w, y, tall in ((96, -30, 60), (66, -98, 44), (40, -152, 34)):
        parts += box(w, tall, "#9c4a32", y=y)
        parts += "".join(box(8, tall * 0.6, "#5e2a1f", x=x * w * 0.27, y=y + 4) for x in (-1, 0, 1))
        top, eave = y - tall / 2 - 26, y - tall / 2 + 8
        parts += poly([(-w * 0.3, top), (w * 0.3, top), (w * 1.02, eave), (-w * 1.02, eave)], DEEP_RED) + box(
            w * 2.04, 5, GOLD, y=eave
        )
    return parts + path("M-10 -194 h20 l-6 -18 l-4 -22 l-4 22Z", GOLD)


def _desk() -> Shape:
    top = box(1600, 60, "#a96a3c", x=800, y=770) + box(1600, 8, "#c78a57", x=800, y=744)
    front = box(1600, 110, "#8a532c", x=800, y=850)
    grain = "".join(
        stroke(f"M{x} {y} q120 -6 240 0 t240 0", "#6f4022", 2.5, opacity=0.4)
        for x, y in ((40, 826), (520, 850), (980, 832), (1180, 872), (200, 880))
    )
    return top + front + grain + box(1600, 10, INK, x=800, y=803, opacity=0.2)


def _left_of_desk() -> Shape:
    rolls = "".join(
        at(x, 742, lift(_roll_end(fill), height=1)) for x, fill in ((90, VERMILION), (160, LOKTA), (230, INDIGO))
    )
    top = at(125, 682, lift(_roll_end(MARIGOLD), height=1)) + at(195, 682, lift(_roll_end(FOREST), height=1))
    heads = (
        at(330, 752, marigold(0.8)) + at(380, 756, marigold(0.66, VERMILION, DEEP_RED)) + at(424, 758, marigold(0.6))
    )
    return rolls + top + heads + at(540, 748, lamp(0.62))


def _roll_end(fill: str) -> Shape:
    spiral = stroke("M0 0 a8 8 0 0 1 14 6 a14 14 0 0 1 -26 2 a18 18 0 0 1 32 -14", WALNUT, 2.4, opacity=0.7)
    return disc(35, fill) + disc(28, LOKTA) + spiral


def _right_of_desk() -> Shape:
    bag = at(1426, 540, office.school_bag(), scale=0.84)
    journal = at(1176, 544, books.lokta_journal(), turn=5, scale=0.8)
    return (
        bag
        + journal
        + at(1000, 770, _cup())
        + _stack(820, 770)
        + at(1276, 676, writing.ink_bottle(), scale=0.5)
        + _front()
    )


def _front() -> Shape:
    heads = ((1096, 752, 0.7), (1140, 758, 0.56), (1340, 756, 0.6))
    return "".join(at(x, y, marigold(size)) for x, y, size in heads)


def _stack(x: float, base: float) -> Shape:
    """Pile books, their backs towards us, a lamp-lit lotus on the lowest."""
    piles = ((270, 52, INDIGO), (246, 44, VERMILION), (258, 40, TEAL), (220, 46, MARIGOLD), (232, 36, PLUM))
    y, shapes = base, []
    for i, (w, h, fill) in enumerate(piles):
        y -= h
        bands = "".join(box(8, h, SUN if fill != MARIGOLD else DEEP_RED, x=side * (w / 2 - 34)) for side in (-1, 1))
        pages = box(w - 12, h - 14, CREAM) if i == 2 else ""
        shine = box(w, 6, WHITE, y=-h / 2 + 5, opacity=0.2)
        shapes.append(
            at(
                x + (-8, 6, -4, 10, 0)[i],
                y + h / 2,
                lift(box(w, h, fill, r=6), height=1),
                pages,
                shine,
                "" if i == 2 else bands,
            )
        )
    cloth = at(x - 8, base - 26, clip(box(150, 52, WHITE), dhaka(150, 52, seed=3)))
    return (
        "".join(shapes)
        + cloth
        + at(x, y - 16, lift(box(84, 34, WHITE, r=8), box(50, 36, VERMILION, x=17, r=3), height=1), turn=-2)
    )


def _cup() -> Shape:
    """Stand pencils, a pen and brushes in a painted cup."""
    sticks = ""
    for x, hue, h, turn in (
        (-44, VERMILION, 300, -11),
        (-16, MARIGOLD, 330, -4),
        (16, FOREST, 316, 4),
        (44, SKY, 290, 11),
    ):
        sticks += at(x * 1.1, -200, pencils.pencil(hue, hue, w=24, h=h), turn=turn)
    sticks += at(-74, -236, art.brush(NIGHT, 20, 330), turn=-17) + at(80, -230, art.brush(VERMILION, 26, 320), turn=18)
    body = path("M-84 -170 H84 L72 0 H-72Z", "#efe3cb") + path("M40 -170 H84 L72 0 H36Z", INK, opacity=0.1)
    band = clip(path("M-84 -170 H84 L72 0 H-72Z", WHITE), box(180, 22, INDIGO, y=-152), box(180, 22, INDIGO, y=-16))
    return sticks + lift(body, height=2) + band + at(0, -62, lotus(VERMILION, MARIGOLD, 0.6))
