"""Ornaments of the valley: lotus, marigold, dhaka weave, lokta fibres, prayer flags, hills, lamps."""

from __future__ import annotations

from random import Random

from .palette import AMBER, DEEP_RED, FLAGS, FOREST, GOLD, INK, KRAFT, MARIGOLD, PAPER, SUN, VERMILION, WALNUT, WHITE
from .svg import Shape, at, box, clip, disc, group, number, oval, path, poly, ring, stroke

PETAL = "M0 0 C-16 -14 -16 -40 0 -62 C16 -40 16 -14 0 0Z"


def petal(fill: str, size: float = 1, **more: str | float) -> Shape:
    """Draw a petal that starts at the origin, 62 high."""
    return group(path(PETAL, fill, **more), transform=f"scale({number(size)})")


def lotus(fill: str, heart: str, size: float = 1) -> Shape:
    """Draw a lotus from the side, about 170 wide and 90 high."""
    outer = "".join(at(0, 0, petal(fill, 1.1, opacity=0.75), turn=turn) for turn in (-72, 72, -50, 50))
    inner = "".join(at(0, 0, petal(fill, 1.25), turn=turn) for turn in (-27, 27))
    return at(0, 0, outer, inner, petal(heart, 1.4), scale=size)


def mandala(colour: str, *, opacity: float = 1) -> Shape:
    """Draw a round lotus, radius about 100, in one colour."""
    return group(
        ring(16, 42, petal(colour, 0.62), start=11.25),
        disc(44, "none", stroke=colour, stroke_width=4),
        ring(8, 8, petal(colour, 0.5)),
        ring(16, 92, disc(5, colour)),
        opacity=opacity,
    )


def marigold(size: float = 1, fill: str = MARIGOLD, deep: str = AMBER) -> Shape:
    """Draw a marigold head, radius about 30."""
    frill = ring(14, 20, disc(8, deep)) + ring(12, 15, disc(8, fill)) + ring(8, 8, disc(7, deep, opacity=0.6))
    return at(0, 0, disc(22, deep), frill, disc(8, SUN), scale=size)


def garland(x0: float, x1: float, y: float, *, sag: float, count: int, size: float = 0.8) -> Shape:
    """Hang a row of marigolds in a curve."""
    heads = []
    for i in range(count):
        t = i / (count - 1)
        colours = (MARIGOLD, AMBER) if i % 3 else (VERMILION, DEEP_RED)
        heads.append(at(x0 + (x1 - x0) * t, y + 4 * sag * t * (1 - t), marigold(size, *colours), turn=i * 25))
    return "".join(heads)


def flags(x0: float, y0: float, x1: float, y1: float, *, sag: float, count: int, size: float = 1) -> Shape:
    """String prayer flags, blue white red green yellow, from one point to another."""
    string = f"M{number(x0)} {number(y0)} Q{number((x0 + x1) / 2)} {number((y0 + y1) / 2 + sag * 2)} {x1} {y1}"
    cloth = []
    for i in range(count):
        t = (i + 0.5) / count
        x = x0 + (x1 - x0) * t
        y = y0 + (y1 - y0) * t + 4 * sag * t * (1 - t)
        cloth.append(at(x, y, _flag(FLAGS[i % 5]), turn=(-5, 3, -2, 6, -4)[i % 5], scale=size))
    return stroke(string, WALNUT, 3 * size) + "".join(cloth)


def _flag(colour: str) -> Shape:
    cloth = path("M-26 0 H26 V56 q-9 8 -17 2 q-9 -6 -18 1 q-8 6 -17 0Z", colour)
    print_ = disc(9, "none", y=28, stroke=INK, stroke_width=2.5) + ring(4, 0, "")
    lines = "".join(box(34, 2.5, INK, y=y) for y in (10, 46))
    return cloth + group(print_, lines, opacity=0.22) + box(52, 5, INK, y=2.5, opacity=0.12)


def dhaka(w: float, h: float, *, ground: str = DEEP_RED, seed: int = 1) -> Shape:
    """Weave dhaka cloth, rows of diamonds and steps, around the origin."""
    random = Random(seed)
    colours = [MARIGOLD, PAPER, FOREST, VERMILION, SUN, INK]
    rows, y, kind = [box(w, h, ground)], -h / 2, 0
    while y < h / 2:
        tall = (72, 20, 46, 20)[kind % 4]
        rows.append(_weave(kind % 4, w, y + tall / 2, tall, random.sample(colours, 3)))
        y, kind = y + tall, kind + 1
    return clip(box(w, h, WHITE), *rows)


def _weave(kind: int, w: float, y: float, tall: float, colours: list[str]) -> Shape:
    one, two, three = colours
    if kind in (1, 3):
        dots = "".join(box(10, 10, one, x=x, y=y) for x in _steps(w, 22))
        return dots + box(w, 2, two, y=y - tall / 2 + 1) + box(w, 2, two, y=y + tall / 2 - 1)
    pitch = tall * 1.1
    return "".join(at(x, y, _diamond(tall, one, two, three, stepped=kind == 0)) for x in _steps(w, pitch))


def _steps(w: float, pitch: float) -> list[float]:
    half = int(w / 2 / pitch) + 1
    return [i * pitch for i in range(-half, half + 1)]


def _diamond(size: float, one: str, two: str, three: str, *, stepped: bool) -> Shape:
    def rhomb(r: float, fill: str) -> Shape:
        return poly([(0, -r), (r, 0), (0, r), (-r, 0)], fill)

    r = size / 2 - 2
    if not stepped:
        return poly([(-r, r), (0, -r), (r, r)], one) + poly([(-r / 2, r), (0, 0), (r / 2, r)], two)
    return rhomb(r, one) + rhomb(r * 0.68, two) + rhomb(r * 0.36, three)


def fibres(w: float, h: float, *, seed: int = 1, count: int = 60, colour: str = KRAFT) -> Shape:
    """Scatter the long fibres of the daphne bush over a sheet."""
    random = Random(seed)
    lines = []
    for _ in range(count):
        x, y = random.uniform(-w / 2, w / 2), random.uniform(-h / 2, h / 2)
        dx, dy, bend = random.uniform(-46, 46), random.uniform(-30, 30), random.uniform(-24, 24)
        d = f"M{number(x)} {number(y)} q{number(dx / 2 + bend)} {number(dy / 2 - bend)} {number(dx)} {number(dy)}"
        light = random.random() < 0.4
        lines.append(stroke(d, WHITE if light else colour, random.uniform(0.8, 2.2), opacity=0.5 if light else 0.32))
    return "".join(lines)


def deckle(w: float, h: float, *, seed: int = 1, rough: float = 3) -> str:
    """Return the outline of a handmade sheet, its edge torn by the mould."""
    random = Random(seed)
    corners = [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)]
    points = []
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        steps = int((abs(bx - ax) + abs(by - ay)) / 13)
        for i in range(steps):
            x, y = ax + (bx - ax) * i / steps, ay + (by - ay) * i / steps
            points.append(f"{number(x + random.uniform(-rough, rough))} {number(y + random.uniform(-rough, rough))}")
    return "M" + " L".join(points) + "Z"


def lokta(w: float, h: float, fill: str, *, seed: int = 1, count: int = 60, rough: float = 3) -> Shape:
    """Make a sheet of lokta paper."""
    outline = deckle(w, h, seed=seed, rough=rough)
    return path(outline, fill) + clip(path(outline, WHITE), fibres(w, h, seed=seed, count=count))


def pipal(fill: str, vein: str, size: float = 1) -> Shape:
    """Draw a pipal leaf, about 150 high with its long tip."""
    leaf = "M0 70 C-70 50 -74 -20 -30 -42 C-14 -50 -6 -44 0 -34 C6 -44 14 -50 30 -42 C74 -20 70 50 0 70 Z"
    tip = path("M-16 60 Q-2 74 0 108 Q2 74 16 60Z", fill)
    veins = "".join(f"M0 {y} Q{s * 24} {y - 6} {s * 44} {y - 20} " for y in (0, 20, 40) for s in (-1, 1))
    return at(0, -15, path(leaf, fill), tip, stroke("M0 -70 V96 " + veins, vein, 3), scale=size)


def hills(w: float, base: float, peaks: list[tuple[float, float]], fill: str, snow: str | None = None) -> Shape:
    """Draw a ridge through its peaks, x from 0 to ``w``, snow on the tops if asked."""
    points = [(0.0, base), *peaks, (w, base)]
    ridge = poly(points, fill)
    if snow is None:
        return ridge
    return ridge + "".join(_snow(points[i - 1], points[i], points[i + 1], snow) for i in range(2, len(points) - 2, 2))


def _snow(left: tuple[float, float], top: tuple[float, float], right: tuple[float, float], fill: str) -> Shape:
    def towards(end: tuple[float, float], share: float) -> tuple[float, float]:
        return top[0] + (end[0] - top[0]) * share, top[1] + (end[1] - top[1]) * share

    a, b = towards(left, 0.5), towards(right, 0.42)
    teeth = [
        (b[0] + (a[0] - b[0]) * t, b[1] + (a[1] - b[1]) * t + dip) for t, dip in ((0.25, -18), (0.5, 16), (0.75, -14))
    ]
    return poly([top, b, *teeth, a], fill)


def lamp(size: float = 1) -> Shape:
    """Draw a clay lamp with its flame, about 120 wide."""
    glow = disc(56, SUN, y=-52, opacity=0.25) + disc(36, SUN, y=-50, opacity=0.35)
    flame = path("M0 -96 C22 -64 18 -34 0 -28 C-18 -34 -22 -64 0 -96Z", MARIGOLD)
    heart = path("M0 -74 C10 -58 9 -40 0 -36 C-9 -40 -10 -58 0 -74Z", PAPER)
    bowl = path("M-60 -24 Q0 -6 60 -24 Q52 24 0 26 Q-52 24 -60 -24Z", "#b5512c") + oval(60, 11, "#8a3a1e", y=-24)
    return at(0, 0, glow, bowl, oval(48, 7, GOLD, y=-23), flame, heart, disc(4, SUN, y=6), scale=size)
