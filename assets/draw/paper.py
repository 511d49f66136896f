"""Loose paper: lokta sheets, letters, envelopes, cards, notes, reams."""

from __future__ import annotations

from .motifs import fibres, garland, lamp, lokta, lotus, mandala, marigold, pipal
from .palette import (
    AMBER,
    CREAM,
    DEEP_RED,
    FOREST,
    GOLD,
    INDIGO,
    INK,
    KHAKI,
    KRAFT,
    LEAF,
    LOKTA,
    MARIGOLD,
    NIGHT,
    PINE,
    PLUM,
    ROSE,
    SKY,
    SUN,
    VERMILION,
    WALNUT,
    WHITE,
)
from .svg import Shape, at, box, clip, disc, group, lift, oval, path, poly, ring, stroke


def _blocks(kind: int, w: float, colour: str) -> Shape:
    """Print a roll with a wooden block: lotus, dots, leaf, stripes or waves."""
    spots = [(x, y) for row, y in enumerate(range(-232, 260, 62)) for x in ((0,) if row % 2 else (-50, 50))]
    if kind == 0:
        return "".join(at(x, y + 10, lotus(colour, colour, 0.34)) for x, y in spots)
    if kind == 1:
        return "".join(at(x, y, _rosette(colour)) for x, y in spots)
    if kind == 2:
        return "".join(at(x, y, pipal(colour, LOKTA, 0.3)) for x, y in spots)
    if kind == 3:
        return "".join(box(w, 7, colour, y=y) + box(w, 2.5, colour, y=y + 12) for y in range(-250, 260, 46))
    return "".join(stroke(f"M-60 {y} q15 -20 30 0 t30 0 t30 0 t30 0", colour, 4.5) for y in range(-250, 260, 40))


def _rosette(colour: str) -> Shape:
    return disc(9, colour) + ring(8, 19, disc(6, colour))


def wrapping_sheets() -> Shape:
    """Five rolls of block-printed lokta, each with its own print."""
    kinds = ((VERMILION, SUN), (LOKTA, INDIGO), (FOREST, LOKTA), (MARIGOLD, DEEP_RED), (INDIGO, LOKTA))
    tops = (-20, 14, -32, 10, -14)
    rolls = ""
    for i, ((fill, ink), top) in enumerate(zip(kinds, tops, strict=True)):
        print_ = clip(box(100, 500, WHITE, r=6), _blocks(i, 100, ink), fibres(100, 500, seed=i, count=8))
        dark = box(26, 500, INK, x=37, opacity=0.16) + box(14, 490, WHITE, x=-28, opacity=0.2)
        end = oval(50, 15, LOKTA, y=-250) + oval(50, 15, "none", y=-250, stroke=KRAFT, stroke_width=2)
        end += oval(30, 8, "none", y=-250, stroke=KRAFT, stroke_width=2) + oval(12, 3, WALNUT, y=-250)
        rolls += at(-216 + i * 108, top, lift(box(100, 500, fill, r=6), print_, dark, end))
    return rolls + lift(box(556, 34, KHAKI, y=120, r=3), height=1) + stroke("M-278 112 H278 M-278 128 H278", KRAFT, 2)


def letter_set() -> Shape:
    """Lokta letter paper over its envelopes, a sprig on the sheet."""
    backs = "".join(
        at(-120 + i * 13, 60 + i * 15, lift(envelope(360, 240, LOKTA, seed=i), height=1), turn=-16 + i * 3)
        for i in range(3)
    )
    sheets = "".join(
        at(70 + i * 9, -10 - i * 5, lift(lokta(320, 450, fill, seed=i + 4, count=36), height=1), turn=4 + i * 3)
        for i, fill in ((2, LOKTA), (1, "#f5ead0"), (0, CREAM))
    )
    lines = "".join(box(230, 3, KRAFT, y=y, opacity=0.45) for y in range(-90, 190, 34))
    sprig = (
        at(-70, -160, pipal(FOREST, LEAF, 0.42), turn=-30)
        + at(-36, -166, pipal(LEAF, FOREST, 0.36), turn=24)
        + at(-54, -142, marigold(0.7))
    )
    return backs + sheets + at(70, -10, lines, sprig, turn=4)


def envelope(w: float, h: float, fill: str, *, seed: int = 1, seal: str = VERMILION) -> Shape:
    """Draw the back of an envelope, sealed with wax."""
    body = lokta(w, h, fill, seed=seed, count=24, rough=1.2)
    folds = stroke(f"M{-w / 2} {h / 2} L-12 4 M{w / 2} {h / 2} L12 4", INK, 2.5, opacity=0.16)
    flap = path(f"M{-w / 2} {-h / 2} L0 {h * 0.1} L{w / 2} {-h / 2}Z", fill) + path(
        f"M{-w / 2} {-h / 2} L0 {h * 0.1} L{w / 2} {-h / 2}Z", INK, opacity=0.07
    )
    wax = disc(24, seal, y=h * 0.08) + disc(17, "none", y=h * 0.08, stroke=WHITE, stroke_width=2, opacity=0.5)
    return body + folds + flap + wax


def lokta_sheets() -> Shape:
    """Ten large natural sheets, fanned a little, a band around them."""
    tones = ("#dcc698", "#e9d8b2", LOKTA)
    pile = "".join(
        at(
            6 * (4 - i),
            5 * (4 - i),
            lift(lokta(520, 400, tones[i % 3], seed=i + 20, count=8, rough=4), height=1),
            turn=-13 + i * 1.9,
        )
        for i in range(9)
    )
    top = at(-24, -22, lift(lokta(520, 400, "#f4e8cd", seed=40, count=190, rough=4), height=1), turn=4.5)
    band = at(
        -24,
        -22,
        lift(box(92, 416, VERMILION, r=2), height=1),
        box(92, 416, "none", stroke=GOLD, stroke_width=0),
        box(6, 416, GOLD, x=-34),
        box(6, 416, GOLD, x=34),
        at(0, 14, lotus(SUN, MARIGOLD, 0.42)),
        turn=4.5,
    )
    return at(0, 0, pile, top, band, scale=1.08)


def sticky_notes() -> Shape:
    """Four pads of notes, one corner curling."""
    pads = (
        (MARIGOLD, AMBER, -130, -130, -6),
        (ROSE, VERMILION, 140, -120, 5),
        (LEAF, FOREST, -120, 140, 4),
        (SKY, INDIGO, 140, 144, -4),
    )
    return "".join(at(x, y, _pad(fill, deep), turn=turn) for fill, deep, x, y, turn in pads)


def _pad(fill: str, deep: str) -> Shape:
    block = "".join(box(236, 236, deep if i % 2 else fill, x=i * 2, y=i * 2.4, r=2) for i in (6, 5, 4, 3, 2, 1))
    face = path("M-118 -118 H118 V62 Q112 104 66 118 H-118Z", fill) + path(
        "M118 62 Q112 104 66 118 Q84 88 74 66 Q96 76 118 62Z", WHITE, opacity=0.5
    )
    return (
        lift(block, face)
        + box(236, 34, INK, y=-101, opacity=0.07)
        + stroke("M-80 -30 H60 M-80 4 H76 M-80 38 H20", deep, 5, opacity=0.5)
    )


def copier_paper() -> Shape:
    """A ream, its wrapper torn at the corner to show white sheets."""
    edges = box(420, 560, "#d9d2c2", x=26, y=24, r=4) + "".join(
        box(420, 560, WHITE if i % 2 else "#e8e2d4", x=i * 3, y=i * 2.8, r=4) for i in (8, 7, 6, 5, 4, 3, 2, 1)
    )
    wrapper = box(420, 560, "#f7f3ea", r=4)
    art = clip(
        box(420, 560, WHITE, r=4),
        disc(104, MARIGOLD, x=50, y=20),
        path("M-210 130 L-96 10 L-30 76 L50 -24 L140 84 L210 30 V300 H-210Z", SKY),
        path("M-210 200 L-80 90 L20 170 L120 110 L210 180 V300 H-210Z", INDIGO),
        path("M50 -24 L20 14 L42 8 L54 30 L72 8 L82 12Z", WHITE),
    )
    sheets = "".join(box(8, 44, fill, x=-150 + i * 14, y=-216) for i, fill in enumerate((VERMILION, MARIGOLD, FOREST)))
    torn = clip(
        path("M210 -280 H84 q6 24 26 26 q-2 26 26 30 q0 26 28 32 q4 30 46 34Z", WHITE),
        box(420, 560, WHITE),
        *(box(420, 2, "#d8d2c6", y=y) for y in range(-268, -140, 12)),
    )
    tear = stroke("M84 -280 q6 24 26 26 q-2 26 26 30 q0 26 28 32 q4 30 46 34", KRAFT, 4, opacity=0.6)
    return lift(edges, height=3) + wrapper + art + sheets + torn + tear


def khaki_envelopes() -> Shape:
    """A bundle of khaki office envelopes, tied with a string."""
    tones = (KHAKI, "#c2975c", "#d8b27c")
    pile = "".join(
        at(0, 52 - i * 9, lift(box(520, 330, tones[i % 3], r=4), height=1), turn=(1.2, -0.8, 0.5)[i % 3])
        for i in range(11)
    )
    top = lift(box(520, 330, KHAKI, y=-48, r=4), height=1)
    flap = path("M-260 -213 H260 L196 -74 Q186 -58 164 -58 H-164 Q-186 -58 -196 -74Z", "#d9b480") + stroke(
        "M-260 -213 L-196 -74 Q-186 -58 -164 -58 H164 Q186 -58 196 -74 L260 -213", KRAFT, 3
    )
    disc_ = disc(22, VERMILION, y=-88) + disc(6, CREAM, y=-88) + disc(22, VERMILION, y=-14) + disc(6, CREAM, y=-14)
    tie = stroke("M0 -88 C22 -70 22 -34 0 -14 C-22 -34 -22 -70 0 -88", CREAM, 4)
    twine = stroke("M-150 -216 V196", WALNUT, 6) + stroke("M-156 -216 V196", KRAFT, 3)
    bow = stroke(
        "M-150 60 C-210 20 -226 84 -150 60 C-90 20 -76 84 -150 60 M-150 60 l-26 60 M-150 60 l30 56", WALNUT, 6
    )
    return at(0, 20, pile, top, flap, tie, disc_, twine, bow)


def card_fan(face: Shape, back: str, count: int = 6) -> Shape:
    """Fan cards behind the one that shows its face, an envelope beneath."""
    fan = "".join(
        at(
            -130 + i * 36,
            -4 + i * 5,
            lift(lokta(300, 420, fill, seed=i, count=20, rough=1), height=1),
            turn=-22 + i * 5,
        )
        for i, fill in enumerate([back, LOKTA] * 3)
        if i < count - 1
    )
    return at(
        12, 0, at(-40, 150, lift(envelope(440, 270, LOKTA, seed=3)), turn=-4), fan, at(80, 14, lift(face), turn=6)
    )


def _card(ground: str) -> Shape:
    return lokta(310, 430, ground, seed=11, count=40, rough=1) + box(
        278, 398, "none", stroke=GOLD, stroke_width=4, r=6
    )


def dashain_cards() -> Shape:
    """Six cards for Dashain: kites over the hills, jamara and marigold."""
    sky = clip(
        box(270, 390, WHITE, r=4),
        box(270, 390, "#bfdcea"),
        disc(40, SUN, x=70, y=-120),
        poly([(-140, 60), (-70, -40), (-20, 10), (40, -70), (140, 50), (140, 200), (-140, 200)], SKY),
        poly([(40, -70), (14, -30), (34, -36), (46, -20), (70, -36)], WHITE),
        poly([(-140, 110), (-50, 40), (40, 100), (140, 60), (140, 200), (-140, 200)], FOREST),
        path("M-140 150 Q0 110 140 150 V200 H-140Z", PINE),
    )
    kites = at(-60, -110, _kite(VERMILION, MARIGOLD), turn=-18) + at(70, -20, _kite(PLUM, SUN), turn=14, scale=0.7)
    strings = stroke("M-50 -70 C-20 20 -40 80 -10 160 M76 10 C60 60 40 100 20 160", WHITE, 2.5)
    jamara = "".join(
        stroke(f"M{x} 196 q{bend} -30 {bend * 1.6} -62", SUN, 5)
        for x, bend in zip(range(-110, 120, 16), (-9, -4, 3, 8, -6) * 3, strict=True)
    )
    return card_fan(
        group(_card(CREAM), sky, strings, kites, jamara, garland(-130, 130, 188, sag=4, count=9, size=0.55)), VERMILION
    )


def _kite(fill: str, cross: str) -> Shape:
    return (
        poly([(0, -54), (44, 0), (0, 54), (-44, 0)], fill)
        + poly([(0, -54), (0, 54), (-44, 0)], WHITE, opacity=0.15)
        + stroke("M0 -54 V54 M-44 0 Q0 -34 44 0", cross, 4)
        + poly([(-14, 66), (14, 66), (0, 50)], cross)
    )


def tihar_cards() -> Shape:
    """Six cards for Tihar: a lamp in a ring of marigolds, at night."""
    night = clip(
        box(270, 390, WHITE, r=4),
        box(270, 390, NIGHT),
        *(disc(2.6, SUN, x=(i * 67) % 260 - 130, y=(i * 41) % 240 - 190, opacity=0.8) for i in range(26)),
    )
    halo = at(0, 40, mandala(PLUM), scale=1.4) + at(0, 40, mandala(ROSE, opacity=0.6), scale=0.9)
    lamps = at(0, 76, lamp(1.15)) + at(-84, 150, lamp(0.5)) + at(84, 150, lamp(0.5)) + at(0, 164, lamp(0.5))
    return card_fan(
        group(_card(CREAM), night, halo, garland(-128, 128, -186, sag=58, count=13, size=0.72), lamps), MARIGOLD
    )


def gift_envelopes() -> Shape:
    """Ten red envelopes with a golden lotus, for a gift of money."""
    fan = ""
    for i in range(10):
        fill = VERMILION if i % 2 else "#b52c29"
        fan += at(-150 + i * 32, 40 - abs(i - 4.5) * -6, lift(_gift(fill), height=1), turn=-34 + i * 7.4)
    return at(0, 10, fan)


def _gift(fill: str) -> Shape:
    body = box(220, 440, fill, r=6) + box(196, 416, "none", r=4, stroke=GOLD, stroke_width=3)
    flap = path("M-110 -220 H110 L84 -140 Q0 -112 -84 -140Z", DEEP_RED) + stroke(
        "M-110 -216 L-84 -140 Q0 -112 84 -140 L110 -216", GOLD, 3
    )
    return (
        body
        + flap
        + at(0, 40, mandala(GOLD, opacity=0.9), scale=0.78)
        + at(0, 60, lotus(SUN, MARIGOLD, 0.5))
        + disc(12, GOLD, y=-128)
    )
