"""Which drawing shows which product, and on which background."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import art, books, office, paper, pencils, school, writing
from .palette import WHITE
from .svg import Shape, at, box, disc, group, page, ring

BLUSH, SAND, MIST, SAGE, HONEY, CLAY, LILAC = (
    "#f3d3c3",
    "#efe0bd",
    "#cfdcea",
    "#cfe0cc",
    "#f8dfa6",
    "#e6c3a4",
    "#ddd0e4",
)


class Picture(NamedTuple):
    """A drawing and its background: turned by degrees, scaled, and centred at (x, y)."""

    ground: str
    draw: Callable[[], Shape]
    turn: float = 0
    scale: float = 1
    x: float = 400
    y: float = 400


def backdrop(width: float, height: float, ground: str) -> Shape:
    """Draw the background: a soft colour and the shop's pale round lotus."""
    middle = (width / 2, height / 2)
    edge = group(disc(300, WHITE), ring(24, 296, disc(36, WHITE)), opacity=0.32)
    inner = disc(276, "none", stroke=WHITE, stroke_width=3, opacity=0.5)
    return box(width, height, ground, x=middle[0], y=middle[1]) + at(*middle, edge, inner, scale=height / 800)


def draw(picture: Picture) -> str:
    """Return the SVG of a product's picture, 800 by 800."""
    thing = at(picture.x, picture.y, picture.draw(), turn=picture.turn, scale=picture.scale)
    return page(800, 800, backdrop(800, 800, picture.ground), thing)


def _ball_pen() -> Shape:
    return at(0, 190, writing.ink_line("#3450a8"), turn=-4) + at(20, -60, writing.ball_pen(), turn=38, scale=1.15)


def _ink() -> Shape:
    return at(0, 10, writing.ink_bottle(), scale=1.2)


def _fountain_pen() -> Shape:
    return at(-40, 220, writing.ink_line("#2b3a7c"), turn=-4) + at(30, -50, writing.fountain_pen(), turn=32, scale=1.1)


PRODUCTS: dict[str, Picture] = {
    "exercise-copy-80-pages": Picture(MIST, books.exercise_copy, -6, 1.15),
    "exercise-copies-pack-of-6": Picture(HONEY, books.six_copies, 0, 1.02),
    "spiral-notebook-a5": Picture(BLUSH, books.spiral_notebook, 5, 1.15),
    "dhaka-notebook-a5": Picture(SAND, books.dhaka_notebook, -5, 1.12, y=385),
    "dotted-journal-a5": Picture(SAGE, books.dotted_journal, -5, 1.02),
    "lokta-journal-a5": Picture(BLUSH, books.lokta_journal, 5, 1.12),
    "lokta-photo-album": Picture(SAND, books.lokta_album, -4, 1.1),
    "lokta-wrapping-sheets": Picture(SAGE, paper.wrapping_sheets, -3, 1.1),
    "lokta-letter-set": Picture(MIST, paper.letter_set, 0, 1.12),
    "lokta-sheets-natural": Picture(CLAY, paper.lokta_sheets, 0, 1.05),
    "ball-pen-blue": Picture(HONEY, _ball_pen),
    "gel-pens-set-of-10": Picture(MIST, writing.gel_pens, 0, 1.1),
    "fountain-pen-indigo": Picture(SAND, _fountain_pen),
    "ink-bottle-indigo-50-ml": Picture(BLUSH, _ink),
    "highlighters-set-of-5": Picture(LILAC, writing.highlighters, -3, 1.06),
    "eraser-white": Picture(MIST, pencils.eraser, 0, 1.18),
    "hb-pencils-box-of-10": Picture(SAGE, pencils.hb_pencils, -4, 1.12),
    "sketch-pencils-tin-of-12": Picture(SAND, pencils.sketch_pencils, 3, 1.08),
    "colour-pencils-24": Picture(BLUSH, pencils.colour_pencils, -3, 1.08),
    "metal-sharpener": Picture(HONEY, pencils.sharpener, 0, 1.1),
    "sketchbook-a4": Picture(SAGE, books.sketchbook, -5, 1.08),
    "watercolours-18-pans": Picture(BLUSH, art.watercolours, -4, 1.06),
    "round-brushes-set-of-6": Picture(MIST, art.brushes, 5, 1.1),
    "ranjana-calligraphy-set": Picture(CLAY, art.calligraphy_set, 0, 1.1),
    "acrylic-colours-12-tubes": Picture(SAGE, art.acrylics, -3, 1.02),
    "mineral-pigments-8-jars": Picture(HONEY, art.pigments, -3, 1.02),
    "geometry-set": Picture(SAGE, school.geometry_set, -3, 1.08),
    "steel-ruler-30-cm": Picture(BLUSH, school.steel_ruler, -38, 1.12),
    "glue-stick-21-g": Picture(MIST, school.glue_stick, 6, 1.08),
    "school-scissors": Picture(HONEY, school.scissors, 24, 1.1),
    "wooden-slate": Picture(CLAY, school.slate, -3, 1.1),
    "stapler-with-pins": Picture(SAND, office.stapler, -4, 1.1),
    "sticky-notes-4-pads": Picture(MIST, paper.sticky_notes, -3, 1.12),
    "copier-paper-a4-ream": Picture(SAGE, paper.copier_paper, -6, 1.05, x=390, y=390),
    "khaki-envelopes-25": Picture(MIST, paper.khaki_envelopes, -6, 1.12),
    "account-book-khata": Picture(HONEY, books.khata, 6, 1.1, y=390),
    "school-bag-24-litres": Picture(SAGE, office.school_bag, 0, 1.1, y=425),
    "dhaka-pencil-case": Picture(SAND, office.pencil_case, -5, 1.08),
    "allo-pen-roll": Picture(BLUSH, office.pen_roll, -4, 1),
    "canvas-book-tote": Picture(MIST, office.tote, 3, 1.08),
    "dashain-cards-set-of-6": Picture(HONEY, paper.dashain_cards, 0, 1.1),
    "tihar-cards-set-of-6": Picture(LILAC, paper.tihar_cards, 0, 1.1),
    "gift-envelopes-set-of-10": Picture(SAND, paper.gift_envelopes, 0, 1.02, y=410),
}
