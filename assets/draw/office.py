"""The stapler, bags and cases."""

from __future__ import annotations

from .motifs import dhaka, lotus, mandala
from .palette import (
    CREAM,
    DEEP_RED,
    FOREST,
    GOLD,
    INDIGO,
    INK,
    IRON,
    KHAKI,
    KRAFT,
    LEAF,
    MARIGOLD,
    NIGHT,
    PINE,
    SKY,
    STEEL,
    SUN,
    VERMILION,
    WALNUT,
    WHITE,
)
from .pencils import pencil
from .svg import Shape, at, box, clip, disc, gleam, lift, path, stroke


def stapler() -> Shape:
    """A stapler from the side, its pins before it."""
    base = path("M-290 120 H250 Q290 120 290 146 V160 H-300 V140 Q-300 120 -290 120Z", NIGHT)
    anvil = box(90, 12, STEEL, x=-236, y=116, r=3)
    magazine = path("M-284 46 H230 V84 H-284 Q-292 64 -284 46Z", STEEL) + path("M-284 68 H230 V84 H-284Z", IRON)
    arm = path(
        "M-300 44 Q-310 -20 -250 -40 C-120 -92 120 -120 230 -96 Q286 -84 286 -10 V120 H214 V52 H-300Z", VERMILION
    )
    under = path("M-300 44 Q-302 30 -300 20 H286 V52 H-300Z", DEEP_RED)
    shine = gleam("M-262 -18 C-120 -70 120 -96 226 -74 Q246 -70 252 -54 C120 -84 -110 -52 -256 2Z", 0.32)
    pin = disc(16, STEEL, x=246, y=40) + disc(6, IRON, x=246, y=40)
    pins = "".join(stroke(f"M{-220 + i * 76} 268 v-34 h44 v34", IRON, 6) for i in range(3))
    box_ = at(
        150,
        244,
        lift(box(210, 84, MARIGOLD, r=6), height=1),
        box(210, 24, VERMILION, y=-30),
        stroke("M-30 26 v-26 h60 v26", INK, 6),
    )
    return at(0, -60, lift(base, anvil, magazine, arm, height=3), under, shine, pin) + lift(pins, height=1) + box_


def _zip(x0: float, x1: float, y: float) -> Shape:
    teeth = "".join(box(5, 10, GOLD, x=x, y=y) for x in range(int(x0), int(x1), 9))
    return stroke(f"M{x0} {y} H{x1}", INK, 16) + teeth


def school_bag() -> Shape:
    """A school bag from the front: two pockets, a flag-coloured pull."""
    handle = stroke("M-60 -250 C-60 -316 60 -316 60 -250", NIGHT, 24)
    straps = stroke("M-170 -140 C-268 -60 -262 120 -190 220 M170 -140 C268 -60 262 120 190 220", NIGHT, 34)
    body = path(
        "M-200 -90 C-200 -220 -120 -272 0 -272 C120 -272 200 -220 200 -90 "
        "V220 Q200 276 144 276 H-144 Q-200 276 -200 220Z",
        INDIGO,
    )
    seam = stroke("M-172 20 V-86 C-172 -196 -100 -242 0 -242 C100 -242 172 -196 172 -86 V20", NIGHT, 12) + stroke(
        "M-172 20 V-86 C-172 -196 -100 -242 0 -242 C100 -242 172 -196 172 -86 V20", GOLD, 3, stroke_dasharray="7 5"
    )
    upper = path(
        "M-128 -120 H128 Q140 -120 140 -106 V-20 Q140 -4 124 -4 H-124 Q-140 -4 -140 -20 V-106 Q-140 -120 -128 -120Z",
        VERMILION,
    )
    lower = path("M-160 40 H160 V206 Q160 244 122 244 H-122 Q-160 244 -160 206Z", VERMILION) + path(
        "M-160 40 H160 V100 Q0 132 -160 100Z", DEEP_RED
    )
    band = clip(path("M-160 150 H160 V206 H-160Z", WHITE), at(0, 178, dhaka(320, 56, seed=6)))
    pulls = "".join(box(10, 40, fill, x=96 + i * 11, y=62, r=3) for i, fill in enumerate((SKY, WHITE, MARIGOLD)))
    crest = at(0, -40, lotus(SUN, MARIGOLD, 0.62))
    sides = path("M-200 60 h-20 q-12 0 -12 14 v120 q0 16 32 20Z M200 60 h20 q12 0 12 14 v120 q0 16 -32 20Z", NIGHT)
    shine = gleam("M-186 -90 C-186 -200 -120 -252 -40 -262 C-110 -240 -158 -190 -160 -90 V20 H-186Z", 0.14)
    return (
        lift(straps, handle)
        + lift(sides, body, height=3)
        + seam
        + lift(upper, height=1)
        + lift(lower, height=1)
        + _zip(-112, 118, -98)
        + _zip(-136, 142, 62)
        + band
        + pulls
        + crest
        + shine
    )


def pencil_case() -> Shape:
    """A dhaka pencil case, open, pencils looking out."""
    hues = (VERMILION, MARIGOLD, FOREST, SKY)
    inside = "".join(
        at(
            -150 + i * 56,
            -110 - (i % 2) * 24,
            lift(pencil(hue, INK if i else VERMILION, w=30, h=300), height=1),
            turn=-9 + i * 5,
        )
        for i, hue in enumerate(hues)
    )
    ruler = at(
        130,
        -120,
        lift(box(44, 280, GOLD, r=3), height=1),
        path("".join(f"M-22 {y} h12 " for y in range(-130, 60, 14)), stroke=INK, stroke_width=2),
        turn=14,
    )
    outline = "M-290 -40 Q-290 -64 -266 -64 H266 Q290 -64 290 -40 V160 Q290 210 240 210 H-240 Q-290 210 -290 160Z"
    cloth = clip(path(outline, WHITE), at(0, 74, dhaka(600, 290, seed=12)))
    mouth = stroke("M-280 -56 H280", NIGHT, 24) + stroke("M-276 -56 H276", GOLD, 7, stroke_dasharray="5 5")
    pull = (
        lift(box(60, 20, GOLD, x=232, y=-30, r=8), height=1)
        + stroke("M256 -26 q30 40 16 84", VERMILION, 7)
        + path("M264 54 h18 l6 40 h-30Z", VERMILION)
    )
    tag_ = lift(box(90, 60, WALNUT, x=-200, y=140, r=6), height=1) + at(-200, 158, lotus(KHAKI, KHAKI, 0.32))
    fold = path("M-290 150 Q0 184 290 150 V160 Q290 210 240 210 H-240 Q-290 210 -290 160Z", INK, opacity=0.14)
    return at(0, 40, inside, ruler, lift(path(outline, DEEP_RED), height=3), cloth, fold, mouth, pull, tag_)


def pen_roll() -> Shape:
    """An allo pen roll laid open: twelve slots, pencils in eight of them."""
    cloth = box(640, 420, "#b79a6b", r=14) + "".join(
        box(640, 1.6, KRAFT, y=y, opacity=0.5) for y in range(-204, 208, 7)
    )
    weave = "".join(box(1.6, 420, CREAM, x=x, opacity=0.22) for x in range(-312, 318, 8))
    tools = ""
    for i, (hue, h) in enumerate(
        (
            (VERMILION, 330),
            (INDIGO, 300),
            ("", 0),
            (FOREST, 340),
            (MARIGOLD, 290),
            ("", 0),
            (NIGHT, 320),
            ("", 0),
            (SKY, 310),
            ("", 0),
            (DEEP_RED, 335),
            (LEAF, 296),
        )
    ):
        if hue:
            tools += at(-280 + i * 51, 150 - h / 2, lift(pencil(hue, hue, w=28, h=h), height=1))
    pocket = box(640, 210, "#a6865a", y=105, r=10) + "".join(
        box(640, 1.6, WALNUT, y=y, opacity=0.25) for y in range(6, 208, 7)
    )
    slots = "".join(stroke(f"M{-306 + i * 51} 4 V204", CREAM, 2.6, stroke_dasharray="8 6") for i in range(13))
    hem = box(640, 14, WALNUT, y=4) + box(640, 18, WALNUT, y=-201, r=8) + box(640, 18, WALNUT, y=201, r=8)
    tie = stroke("M318 0 C380 -20 340 70 300 262 M318 0 C350 60 372 90 344 250", WALNUT, 11)
    return lift(cloth, height=2) + weave + tools + lift(pocket, height=1) + slots + hem + tie


def tote() -> Shape:
    """A canvas tote with a print of books and a lotus."""
    back = stroke("M-96 -160 C-96 -330 96 -330 96 -160", "#d9c79f", 24)
    body = path("M-212 -170 H212 L230 250 Q230 272 206 272 H-206 Q-230 272 -230 250Z", "#efe2c2")
    hem = path("M-212 -170 H212 L214 -132 H-214Z", "#dfcda3") + stroke(
        "M-212 -136 H212", KRAFT, 2.5, stroke_dasharray="8 6"
    )
    folds = stroke("M-180 -120 C-170 20 -196 140 -190 250 M184 -120 C170 40 198 140 192 250", KRAFT, 4, opacity=0.35)
    print_ = at(0, -14, mandala(MARIGOLD), scale=1.12) + at(0, 36, lotus(VERMILION, DEEP_RED, 1.15))
    books = "".join(
        box(w, 34, fill, x=x, y=y, r=4) + box(14, 34, SUN, x=x - w / 2 + 40, y=y)
        for w, x, y, fill in (
            (250, 0, 210, INDIGO),
            (220, 6, 174, FOREST),
            (240, -8, 138, VERMILION),
            (190, 4, 102, PINE),
        )
    )
    front = stroke("M-96 -152 C-110 -372 110 -372 96 -152", "#e6d5ac", 26) + "".join(
        box(34, 40, "#d2bb88", x=x, y=-150, r=3) for x in (-96, 96)
    )
    return at(0, 30, back, lift(body, height=3), hem, folds, print_, books, lift(front, height=1))
