"""Draw every picture of the store again: ``python -m sandbox.demo.draw [name …]``.

Needs Pillow (the store has it) and ``resvg-py`` (it has not: ``pip install resvg-py`` where the pictures are drawn).
The same code gives the same pictures; they are committed, so nobody needs to run this to see the store.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path

from PIL import Image

from sandbox.demo.draw import pictures, scenes

FOLDER = Path(__file__).resolve().parent.parent / "pictures"
KILOBYTE = 1024


def every_picture() -> Iterator[tuple[str, str, int]]:
    """Give file name, SVG and the most bytes its WebP may take."""
    for slug, picture in pictures.PRODUCTS.items():
        yield f"{slug}.webp", pictures.draw(picture), 30 * KILOBYTE
    for slug, scene in scenes.CATEGORIES.items():
        yield f"category-{slug}.webp", scene(), 40 * KILOBYTE
    yield "hero.webp", scenes.hero(), 120 * KILOBYTE


def webp(svg: str, limit: int) -> bytes:
    """Render at the best quality from 84 down that stays within ``limit`` bytes."""
    # By name: the renderer is no dependency of the project, and its absence must not break a type check.
    png = import_module("resvg_py").svg_to_bytes(svg_string=svg)
    with Image.open(BytesIO(png)) as image:
        flat = image.convert("RGB")
    for quality in range(84, 0, -4):
        written = BytesIO()
        flat.save(written, "WEBP", quality=quality, method=6)
        if written.tell() <= limit:
            break
    return written.getvalue()


def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, svg, limit in every_picture():
        if not names or any(wanted in name for wanted in names):
            content = webp(svg, limit)
            (FOLDER / name).write_bytes(content)
            sys.stdout.write(f"{name}  {len(content) / KILOBYTE:.0f} kB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
