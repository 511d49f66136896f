"""Copies, notebooks and journals, each upright and about 480 high."""

from __future__ import annotations

from .motifs import dhaka, lokta, lotus, mandala, pipal
from .palette import (
    CREAM,
    DEEP_RED,
    FOREST,
    GOLD,
    INDIGO,
    INK,
    IRON,
    KHAKI,
    LOKTA,
    MARIGOLD,
    NIGHT,
    PAPER,
    PINE,
    PLUM,
    SKY,
    STEEL,
    SUN,
    TEAL,
    VERMILION,
    WALNUT,
    WHITE,
)
from .svg import Shape, at, box, clip, disc, group, lift, path, poly, stroke


def label(w: float, h: float, ink: str = INDIGO, fill: str = PAPER) -> Shape:
    """Draw a name plate with three lines to fill in."""
    lines = "".join(box(w * 0.72, 3, ink, y=h * (i - 1) * 0.25, opacity=0.45) for i in range(3))
    return box(w, h, fill, r=8) + box(w - 12, h - 12, "none", r=5, stroke=ink, stroke_width=2.5) + lines


def pages(w: float, h: float, *, depth: float = 12) -> Shape:
    """Draw the edge of a block of pages under a cover, to the right and below."""
    edge = box(w, h, "#e6d9bd", x=depth, y=depth, r=4)
    return edge + "".join(
        box(w, h, fill, x=s, y=s, r=4) for s, fill in ((depth * 0.66, CREAM), (depth * 0.33, "#eee2c8"))
    )


def cover(w: float, h: float, fill: str, *, spine: str = INK, width: float = 34) -> Shape:
    """Draw a closed cover with a darker back at the left."""
    back = clip(box(w, h, WHITE, r=8), box(width, h, spine, x=-w / 2 + width / 2))
    crease = box(3, h, INK, x=-w / 2 + width + 7, opacity=0.14)
    return box(w, h, fill, r=8) + back + crease


def copy(fill: str, spine: str, ornament: str) -> Shape:
    """Draw a school copy, 360 by 470."""
    rays = at(28, 110, mandala(ornament, opacity=0.9), scale=0.95)
    rule = "".join(box(250, 4, ornament, x=20, y=y) for y in (-205, -195))
    return cover(360, 470, fill, spine=spine) + rays + at(20, -96, label(220, 116, spine)) + rule


def exercise_copy() -> Shape:
    """One copy, a corner turned to show the ruled pages."""
    corner = clip(
        poly([(180, 92), (180, 235), (37, 235)], WHITE),
        box(400, 500, PAPER),
        *(box(400, 3, SKY, y=y) for y in range(92, 240, 18)),
    )
    turned = poly([(180, 92), (37, 235), (62, 116)], "#e8b93f") + poly(
        [(180, 92), (37, 235), (62, 116)], INK, opacity=0.08
    )
    closed = clip(
        poly([(-190, -245), (190, -245), (190, 82), (27, 245), (-190, 245)], WHITE),
        copy(MARIGOLD, VERMILION, DEEP_RED),
    )
    return lift(pages(360, 470, depth=6), closed, corner, turned)


def six_copies() -> Shape:
    """Six copies, fanned."""
    colours = [
        (PLUM, NIGHT),
        (TEAL, PINE),
        (SKY, INDIGO),
        (FOREST, PINE),
        (MARIGOLD, VERMILION),
        (VERMILION, DEEP_RED),
    ]
    fan = []
    for i, (fill, spine) in enumerate(colours):
        fan.append(at(-140 + i * 54, -26 + i * 10, lift(copy(fill, spine, LOKTA)), turn=-20 + i * 7.2, scale=0.88))
    return group(*fan)


def spiral_notebook() -> Shape:
    """An A5 notebook on a wire, a band across its cover."""
    body = (
        box(350, 480, INDIGO, r=14)
        + box(350, 96, MARIGOLD, y=96)
        + box(350, 10, CREAM, y=38)
        + box(350, 10, CREAM, y=154)
    )
    crest = at(20, -90, mandala(SKY, opacity=0.75), scale=0.9) + at(18, 118, lotus(VERMILION, DEEP_RED, 0.62))
    coils = ""
    for i in range(17):
        y = -216 + i * 27
        coils += disc(6, NIGHT, x=-150, y=y) + stroke(f"M-150 {y} C-168 {y - 16} -200 {y - 12} -190 {y + 4}", STEEL, 6)
        coils += stroke(f"M-154 {y - 4} C-170 {y - 15} -188 {y - 12} -188 {y - 2}", WHITE, 1.6, opacity=0.8)
    return lift(pages(344, 470, depth=14), body, crest) + lift(coils, height=1)


def dhaka_notebook() -> Shape:
    """A notebook covered in dhaka cloth, with a cream name plate."""
    cloth = clip(box(360, 490, WHITE, r=8), dhaka(360, 490, seed=4))
    back = clip(box(360, 490, WHITE, r=8), box(44, 490, NIGHT, x=-158))
    plate = at(20, -60, lift(box(190, 130, CREAM, r=4), height=1), box(172, 112, "none", stroke=GOLD, stroke_width=3))
    mark = at(20, -32, lotus(VERMILION, DEEP_RED, 0.62))
    ribbon = path("M70 240 h22 v52 l-11 -12 l-11 12Z", MARIGOLD)
    return lift(ribbon, pages(356, 484, depth=12), cloth, back) + box(3, 490, INK, x=-130, opacity=0.3) + plate + mark


def dotted_journal() -> Shape:
    """An open journal: dotted pages, a ribbon, an elastic band."""
    leaf = "".join(disc(2.1, IRON, x=x, y=y, opacity=0.6) for x in range(26, 270, 19) for y in range(-180, 190, 19))
    right = path("M0 -204 Q150 -214 284 -204 V204 Q150 194 0 204Z", PAPER) + leaf
    left = group(path("M0 -204 Q150 -214 284 -204 V204 Q150 194 0 204Z", PAPER), leaf, transform="scale(-1 1)")
    under = "".join(box(576 + i * 5, 410, "#e9dcc0" if i % 2 else CREAM, y=2 + i, r=5) for i in (4, 3, 2, 1))
    gutter = path("M-26 -206 Q0 -202 26 -206 V202 Q0 206 -26 202Z", INK, opacity=0.07) + box(
        2.4, 404, INK, opacity=0.25
    )
    ribbon = stroke("M6 -204 C10 -60 -14 60 10 252", VERMILION, 13) + path(
        "M3 246 l14 0 l4 26 l-11 -8 l-10 9Z", VERMILION
    )
    band = box(14, 440, MARIGOLD, x=296, r=2)
    return lift(box(622, 440, FOREST, r=16)) + under + left + right + gutter + band + ribbon


def lokta_journal() -> Shape:
    """A journal in natural lokta, a pipal leaf on it, tied with a cord."""
    block = "".join(lokta(352, 484, fill, seed=i, count=0) for i, fill in ((2, "#d8c49a"), (3, CREAM)))
    front = lokta(366, 492, "#e7cf9f", seed=9, count=150, rough=2)
    back = clip(box(366, 492, WHITE), box(52, 494, VERMILION, x=-158)) + box(3, 488, INK, x=-131, opacity=0.2)
    stitches = "".join(stroke(f"M-150 {y} v26", CREAM, 4) for y in range(-226, 220, 46))
    leaf = at(26, -50, pipal(FOREST, "#cfe0b4", 1.5))
    cord = stroke("M-182 150 H184", WALNUT, 7) + stroke("M-182 163 H184", WALNUT, 5)
    button = lift(disc(25, WALNUT, x=120, y=156), disc(17, KHAKI, x=120, y=156), height=1) + "".join(
        disc(3, WALNUT, x=120 + dx, y=156 + dy) for dx in (-5, 5) for dy in (-5, 5)
    )
    tails = stroke("M132 172 C156 206 140 240 168 282 M118 178 C112 214 132 236 120 274", WALNUT, 5)
    return lift(at(14, 12, block), front, back) + stitches + leaf + cord + button + tails


def lokta_album() -> Shape:
    """A square photo album, a picture of the mountains in its window."""
    front = lokta(500, 480, VERMILION, seed=5, count=90, rough=1.5)
    window = lift(box(300, 232, CREAM, x=36, r=3), height=1)
    view = clip(
        box(268, 200, WHITE, x=36),
        box(268, 200, "#bcd7ea", x=36),
        disc(26, SUN, x=104, y=-52),
        poly([(-120, 100), (-60, -24), (-10, 22), (40, -70), (96, 14), (130, -14), (190, 100)], SKY),
        poly([(40, -70), (12, -16), (32, -26), (42, -6), (58, -24), (70, -22)], WHITE),
        poly([(-60, -24), (-78, 12), (-62, 4), (-46, 18), (-34, 0)], WHITE),
        poly([(-120, 110), (-40, 40), (30, 74), (110, 34), (190, 110)], FOREST),
    )
    ribbon = box(16, 484, GOLD, x=-196) + stroke("M-196 0 C-250 -54 -292 -20 -196 0 C-250 54 -292 20 -196 0", GOLD, 12)
    tails = stroke("M-196 4 C-190 40 -214 66 -206 100 M-196 4 C-176 36 -182 60 -170 88", GOLD, 10)
    holes = "".join(disc(9, DEEP_RED, x=-196, y=y) for y in (-120, 120))
    inner = "".join(lokta(492, 472, fill, seed=8, count=0) for fill in ("#e2d2ab",))
    return (
        lift(at(16, 14, inner), at(8, 7, lokta(496, 476, CREAM, seed=7, count=0)), front)
        + ribbon
        + holes
        + tails
        + window
        + view
    )


def khata() -> Shape:
    """A bahi khata: long, red cloth, quilted in white thread, tied with a cord."""
    body = box(330, 540, DEEP_RED, r=22, x=8, y=8) + box(330, 540, VERMILION, r=20)
    border = box(286, 496, "none", r=12, stroke=CREAM, stroke_width=4, stroke_dasharray="14 9")
    net = "".join(
        stroke(f"M-143 {y} L143 {y + 143} M143 {y} L-143 {y + 143}", CREAM, 3, stroke_dasharray="12 8", opacity=0.8)
        for y in (-320, -248, -176, -104, -32, 40, 112, 184)
    )
    plate = lift(box(176, 118, CREAM, r=8, y=-90), height=1) + at(0, -64, lotus(VERMILION, MARIGOLD, 0.7))
    cord = stroke("M-168 128 H170 M-168 142 H170", GOLD, 7)
    knot = disc(17, GOLD, y=135) + stroke("M0 140 C-30 190 -8 220 -34 262 M4 140 C30 186 10 214 36 254", GOLD, 7)
    tassels = at(-36, 268, _tassel(), turn=12) + at(38, 260, _tassel(), turn=-12)
    return lift(body) + clip(box(286, 496, WHITE, r=12), net) + border + plate + cord + knot + tassels


def _tassel() -> Shape:
    return (
        disc(9, MARIGOLD)
        + path("M-8 4 h16 l6 38 h-28Z", MARIGOLD)
        + stroke("M-5 12 l-3 28 M0 12 v28 M5 12 l3 28", KHAKI, 2)
    )


def sketchbook() -> Shape:
    """An A4 sketchbook on a wire at the top, a pencil view of a stupa on it."""
    body = box(400, 540, "#3a3733", r=10, y=14)
    window = box(310, 330, CREAM, y=70, r=4)
    stupa = (
        "M-110 200 H110 M-92 200 V176 H92 V200 M-72 176 C-72 96 72 96 72 176 M-26 108 H26 V76 H-26Z "
        "M-20 76 L-7 16 H7 L20 76 M-24 16 H24 M0 16 V-10 M-10 98 h6 M4 98 h6 M0 98 v8"
    )
    hill = "M-150 176 L-100 130 L-74 150 M150 176 L110 120 L74 158"
    birds = "M-120 60 q10 -8 20 0 q10 -8 20 0 M70 30 q8 -7 16 0 q8 -7 16 0"
    drawing = (
        stroke(stupa, INK, 4)
        + stroke(f"{hill} {birds}", IRON, 3)
        + stroke("M-60 150 l20 20 M-50 136 l34 34 M-36 128 l42 42", IRON, 2)
    )
    coils = ""
    for i in range(19):
        x = -180 + i * 20
        coils += disc(5, INK, x=x, y=-238) + stroke(f"M{x} -238 C{x - 9} -252 {x - 8} -276 {x + 2} -272", STEEL, 5)
    return (
        lift(at(0, 14, pages(396, 534, depth=10)), body)
        + window
        + at(0, 14, drawing)
        + box(310, 8, MARIGOLD, y=-120)
        + coils
    )
