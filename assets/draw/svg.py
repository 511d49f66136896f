"""The basic shapes of every picture. A shape is a string of SVG."""

from __future__ import annotations

import math
from hashlib import sha1

from .palette import INK, WHITE

Shape = str
Value = str | float


def number(value: Value) -> str:
    """Write a number without a tail of zeros."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def tag(name: str, *inside: Shape, **attributes: Value) -> Shape:
    """Write one element; ``stroke_width`` becomes ``stroke-width``."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{number(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>{''.join(inside)}</{name}>" if inside else f"<{name}{written}/>"


def group(*shapes: Shape, **attributes: Value) -> Shape:
    return tag("g", *(shapes or ("",)), **attributes)


def at(x: float, y: float, *shapes: Shape, turn: float = 0, scale: float = 1) -> Shape:
    """Place shapes at a point, turned by degrees."""
    moves = [f"translate({number(x)} {number(y)})"]
    moves += [f"rotate({number(turn)})"] if turn else []
    moves += [f"scale({number(scale)})"] if scale != 1 else []
    return group(*shapes, transform=" ".join(moves))


def box(w: float, h: float, fill: str, *, x: float = 0, y: float = 0, r: float = 0, **more: Value) -> Shape:
    """Draw a rectangle around its middle (x, y)."""
    return tag("rect", x=x - w / 2, y=y - h / 2, width=w, height=h, rx=r, fill=fill, **more)


def disc(r: float, fill: str, *, x: float = 0, y: float = 0, **more: Value) -> Shape:
    return tag("circle", cx=x, cy=y, r=r, fill=fill, **more)


def oval(rx: float, ry: float, fill: str, *, x: float = 0, y: float = 0, **more: Value) -> Shape:
    return tag("ellipse", cx=x, cy=y, rx=rx, ry=ry, fill=fill, **more)


def path(d: str, fill: Value = "none", **more: Value) -> Shape:
    return tag("path", d=d, fill=fill, **more)


def stroke(d: str, colour: str, width: float, **more: Value) -> Shape:
    """Draw a line with round ends along a path."""
    return path(d, stroke=colour, stroke_width=width, stroke_linecap="round", stroke_linejoin="round", **more)


def poly(points: list[tuple[float, float]], fill: str, **more: Value) -> Shape:
    return tag("polygon", points=" ".join(f"{number(x)},{number(y)}" for x, y in points), fill=fill, **more)


def ring(count: int, radius: float, shape: Shape, *, start: float = 0) -> Shape:
    """Repeat a shape, drawn pointing up from the origin, around a circle."""
    step = 360 / count
    return "".join(
        group(
            group(shape, transform=f"translate(0 {number(-radius)})"), transform=f"rotate({number(start + i * step)})"
        )
        for i in range(count)
    )


def clip(outline: Shape, *shapes: Shape) -> Shape:
    """Show shapes only inside an outline."""
    key = "c" + sha1((outline + "".join(shapes)).encode(), usedforsecurity=False).hexdigest()[:10]
    return tag("clipPath", outline, id=key) + group(*shapes, clip_path=f"url(#{key})")


def lift(*shapes: Shape, height: int = 2) -> Shape:
    """Lift shapes off the table: 1 paper, 2 a book, 3 a bag."""
    return group(*shapes, filter=f"url(#lift{height})")


def shade(shape_d: str, opacity: float = 0.12) -> Shape:
    return path(shape_d, INK, opacity=opacity)


def gleam(shape_d: str, opacity: float = 0.22) -> Shape:
    return path(shape_d, WHITE, opacity=opacity)


def wave(x0: float, x1: float, y: float, *, height: float, length: float) -> str:
    """Return a path that waves from ``x0`` to ``x1``."""
    steps = max(1, round((x1 - x0) / length))
    size = (x1 - x0) / steps
    arcs = " ".join(
        f"q{number(size / 2)} {number(height if i % 2 else -height)} {number(size)} 0" for i in range(steps)
    )
    return f"M{number(x0)} {number(y)} {arcs}"


def polar(radius: float, degrees: float) -> tuple[float, float]:
    """Return the point at an angle, 0 degrees being up, clockwise."""
    angle = math.radians(degrees - 90)
    return radius * math.cos(angle), radius * math.sin(angle)


def _shadow(key: str, dx: float, dy: float, blur: float, opacity: float, colour: str) -> Shape:
    drop = tag("feDropShadow", dx=dx, dy=dy, stdDeviation=blur, flood_color=colour, flood_opacity=opacity)
    return tag("filter", drop, id=key, x="-30%", y="-30%", width="160%", height="160%")


def page(width: int, height: int, *shapes: Shape, shadow: str = "#3b1f14") -> Shape:
    """Make a whole SVG document, with the shadows that `lift` names."""
    shadows = (
        _shadow("lift1", 3, 5, 5, 0.22, shadow),
        _shadow("lift2", 8, 13, 12, 0.30, shadow),
        _shadow("lift3", 12, 20, 18, 0.34, shadow),
    )
    return tag(
        "svg",
        tag("defs", *shadows),
        *shapes,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
    )
