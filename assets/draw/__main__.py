"""Draw the pictures of the demo store again: ``python -m assets.draw [name …]``.

Without names it draws all of them. It needs Pillow, which the store installs too, and ``pip install resvg-py``. The
same code makes the same pictures. They are committed, so that the store runs without this folder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO

from PIL import Image

from assets.draw import pictures, scenes
from sandbox.demo.catalogue import PICTURES

KILOBYTE = 1024


def every_picture() -> Iterator[tuple[str, str, int]]:
    """Yield file name, SVG, and the largest size of its WebP in bytes."""
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
    for name, svg, limit in every_picture():
        if not names or any(wanted in name for wanted in names):
            content = webp(svg, limit)
            (PICTURES / name).write_bytes(content)
            sys.stdout.write(f"{name}  {len(content) / KILOBYTE:.0f} kB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
