"""Colours, brushes and the calligrapher's things."""

from __future__ import annotations

from .motifs import lokta
from .palette import (
    INK,
    IRON,
    KHAKI,
    KRAFT,
    SPECTRUM,
    STEEL,
    VERMILION,
    WALNUT,
    WHITE,
)
from .svg import Shape, at, box, disc, lift, oval, path, poly, ring, stroke
from .writing import barrel, ink_bottle


def watercolours() -> Shape:
    """Eighteen pans in a tin, colour mixed in the lid, a brush across."""
    tin = box(580, 270, INK, y=140, r=26) + box(556, 246, "#f3f1ec", y=140, r=18)
    pans = ""
    for i in range(18):
        x, y = -227 + (i % 9) * 56.5, 86 + (i // 9) * 106
        pans += at(
            x,
            y,
            box(48, 92, WHITE, r=6),
            box(48, 92, "none", r=6, stroke=STEEL, stroke_width=2),
            box(38, 80, _PANS[i], r=8),
            oval(10, 26, WHITE, x=-6, y=-8, opacity=0.22),
        )
    lid = box(580, 250, INK, y=-134, r=26) + box(556, 226, "#faf8f3", y=-134, r=18)
    wells = "".join(box(168, 190, "#ece8df", x=x, y=-134, r=22) for x in (-184, 0, 184))
    puddles = at(-190, -136, _puddle("#4d93d1")) + at(4, -130, _puddle(VERMILION)) + at(186, -136, _puddle("#4f9d4a"))
    hinge = "".join(box(70, 16, STEEL, x=x, y=4, r=6) for x in (-180, 180))
    return lift(lid, tin) + wells + puddles + pans + hinge + at(150, -40, lift(brush(VERMILION, 18, 420)), turn=62)


_PANS = tuple(SPECTRUM[i] for i in (0, 1, 2, 3, 4, 5, 6, 8, 9, 11, 13, 14, 15, 17, 18, 19, 22, 23))


def _puddle(fill: str) -> Shape:
    return path("M-56 4 C-64 -50 -16 -66 18 -54 C60 -40 70 8 44 40 C20 70 -48 58 -56 4Z", fill, opacity=0.75) + oval(
        18, 9, WHITE, x=-18, y=-28, opacity=0.5
    )


def brush(handle: str, w: float, h: float, *, hair: str = "#5b3a24") -> Shape:
    """Draw a round brush, hair up; ``w`` is the width of its ferrule, 12 to 40."""
    top, long = -h / 2, w * 2.1
    tuft = path(
        f"M{-w / 2} {top + long} C{-w * 0.75} {top + long * 0.55} {-w * 0.1} {top + long * 0.3} 0 {top} "
        f"C{w * 0.1} {top + long * 0.3} {w * 0.75} {top + long * 0.55} {w / 2} {top + long}Z",
        hair,
    )
    ferrule_h = w * 2.6
    ferrule = at(
        0,
        top + long + ferrule_h / 2,
        barrel(w, -ferrule_h / 2, ferrule_h / 2, STEEL),
        box(w, 3, IRON, y=ferrule_h * 0.22),
        box(w, 3, IRON, y=ferrule_h * 0.32),
    )
    y0 = top + long + ferrule_h - 2
    stick = path(
        f"M{-w / 2} {y0} C{-w * 0.85} {y0 + 70} {-w * 0.36} {h / 2 - 90} {-w * 0.16} {h / 2} H{w * 0.16} "
        f"C{w * 0.36} {h / 2 - 90} {w * 0.85} {y0 + 70} {w / 2} {y0}Z",
        handle,
    )
    sheen = path(
        f"M{-w * 0.3} {y0 + 4} C{-w * 0.5} {y0 + 70} {-w * 0.2} {h / 2 - 90} {-w * 0.06} {h / 2 - 10} "
        f"C{-w * 0.1} {h / 2 - 90} {-w * 0.2} {y0 + 70} {-w * 0.14} {y0 + 4}Z",
        WHITE,
        opacity=0.4,
    )
    return tuft + stick + sheen + ferrule


def brushes() -> Shape:
    """Six round brushes, from the finest to the broadest."""
    sizes = ((10, 430), (15, 455), (21, 480), (28, 505), (36, 530), (45, 555))
    xs = (-248, -170, -84, 12, 118, 236)
    return "".join(at(x, (555 - h) / 2, lift(brush(VERMILION, w, h))) for x, (w, h) in zip(xs, sizes, strict=True))


def calligraphy_set() -> Shape:
    """Four bamboo pens and a bottle of ink on a sheet of broad-nib strokes."""
    sheet = at(-60, 10, lift(lokta(420, 560, "#f6ecd6", seed=31, count=90), height=1), turn=-5)
    strokes = at(-84, -60, _letters(), turn=-5)
    pens = "".join(at(134 + i * 46, -44 + i * 16, lift(bamboo(14 + i * 7)), turn=6) for i in range(4))
    return sheet + strokes + pens + at(-150, 196, ink_bottle(INK), scale=0.5)


def _letters() -> Shape:
    """Draw strokes as of Ranjana script: a heavy head line, slanted stems, hooked feet."""
    head = path("M-150 -150 l14 -26 H150 l-14 26Z", INK)
    stem = "M{0} -150 h30 V-20 q0 34 -34 46 q-18 8 -26 -8 q30 -14 30 -46Z"
    stems = "".join(path(stem.format(x), INK) for x in (-112, -14, 84))
    bowls = "".join(
        path(f"M{x} -96 q-54 -10 -58 34 q0 30 34 34 q-10 -12 -6 -26 q4 -18 30 -14Z", INK) for x in (-112, -14, 84)
    )
    marks = path("M-60 -204 q30 30 66 0 q-8 44 -34 44 q-26 0 -32 -44Z", VERMILION) + poly(
        [(-27, -236), (-11, -220), (-27, -204), (-43, -220)], VERMILION
    )
    line = path("M-150 70 q70 -30 140 0 t140 0 v22 q-70 30 -140 0 t-140 0Z", VERMILION, opacity=0.85)
    return head + stems + bowls + marks + line


def bamboo(w: float) -> Shape:
    """Draw a bamboo pen, nib down; ``w`` is the width of its nib."""
    body = barrel(36, -260, 170, "#d9b35f", 6)
    nodes = "".join(box(40, 9, "#b98d3c", y=y, r=4) for y in (-170, -20, 110))
    cut = (
        path(f"M-18 166 H18 L{w / 2} 250 H{-w / 2}Z", "#c79c48")
        + path(f"M{-w / 2} 226 H{w / 2} V252 H{-w / 2}Z", INK)
        + stroke("M0 190 V250", WALNUT, 2)
    )
    return body + nodes + cut + box(36, 30, VERMILION, y=-240, r=4)


def acrylics() -> Shape:
    """Twelve tubes of acrylic colour in two rows."""
    hues = [SPECTRUM[i] for i in (1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 22, 23)]
    return "".join(at(-255 + (i % 6) * 102, -158 + (i // 6) * 312, lift(_tube(hue))) for i, hue in enumerate(hues))


def _tube(fill: str) -> Shape:
    foil = path("M-42 -138 H42 L36 78 Q34 96 18 100 H-18 Q-34 96 -36 78Z", "#eef0f2") + path(
        "M14 -138 H42 L36 78 Q34 96 18 100 H10Z", INK, opacity=0.1
    )
    crimp = box(92, 20, STEEL, y=-136, r=2) + "".join(
        box(3, 18, IRON, x=x, y=-136, opacity=0.5) for x in range(-40, 44, 8)
    )
    band = path("M-40 -64 H40 L37 36 H-37Z", fill) + path("M-40 -64 H-28 L-26 36 H-37Z", WHITE, opacity=0.35)
    cap = barrel(34, 104, 142, fill, 5) + box(24, 10, STEEL, y=102)
    return foil + crimp + band + disc(14, WHITE, y=62, opacity=0.9) + disc(9, fill, y=62) + cap


def pigments() -> Shape:
    """Eight jars of ground mineral colour, seen from above."""
    hues = ("#2456a5", "#2f8f83", "#c8372d", "#e59a1c", "#f3e6c4", "#7a2e2a", "#3f7d3f", "#3b2f3f")
    tray = lift(box(660, 400, WALNUT, r=24), box(632, 372, "#935f38", r=16), height=3)
    jars = "".join(at(-231 + (i % 4) * 154, -88 + (i // 4) * 176, _jar(hue, i)) for i, hue in enumerate(hues))
    scoop = at(
        30,
        262,
        lift(
            box(250, 16, KHAKI, x=110, r=8),
            oval(46, 24, KHAKI, x=-40),
            oval(36, 16, KRAFT, x=-40),
            oval(28, 11, hues[2], x=-42),
        ),
        turn=-4,
    )
    return at(0, -44, tray, jars) + scoop


def _jar(fill: str, seed: int) -> Shape:
    glass = lift(disc(70, "#dfe9ea"), disc(60, WHITE, opacity=0.7), height=1)
    powder = disc(56, fill) + path("M-56 4 Q-20 -30 6 -14 Q34 2 56 -8 A56 56 0 0 1 -56 4Z", INK, opacity=0.14)
    heap = oval(26, 20, WHITE, x=-10, y=-16, opacity=0.2)
    grains = ring(9, 34, disc(2.4, WHITE, opacity=0.35), start=seed * 17)
    return (
        glass
        + powder
        + heap
        + grains
        + path(
            "M-52 -40 A66 66 0 0 1 10 -65", "none", stroke=WHITE, stroke_width=6, stroke_linecap="round", opacity=0.9
        )
    )
