"""The catalogue of the demo store, in the order in which the shop shows it."""

from __future__ import annotations

from pathlib import Path

from sandbox.demo.categories import art, lokta, notebooks, office, pencils, pens, school
from sandbox.demo.schema import Category, Coupon, Product

__all__ = ["CATEGORIES", "COUPONS", "HERO", "PICTURES", "PRODUCTS", "Category", "Coupon", "Product"]

PICTURES = Path(__file__).resolve().parent / "pictures"
HERO = "hero.webp"

CATEGORIES: tuple[Category, ...] = (
    Category(
        slug="notebooks",
        name="Notebooks & copies",
        intro="School copies by the dozen, journals for keeps, and notebooks in cloth from Palpa.",
    ),
    Category(
        slug="lokta-paper",
        name="Nepali lokta paper",
        intro="Handmade from the bark of the daphne bush, which grows again. Insects leave it alone; centuries too.",
        children=(
            Category(
                slug="festive-cards",
                name="Festive cards",
                intro="For Dashain and Tihar, and for every envelope that carries a blessing.",
            ),
        ),
    ),
    Category(
        slug="pens-ink",
        name="Pens & ink",
        intro="From the ball pen of every exam hall to a fountain pen for a lifetime of signatures.",
    ),
    Category(
        slug="pencils-drawing",
        name="Pencils & drawing",
        intro="Pencils, rubbers and paper to draw on, for class three and for the art college.",
    ),
    Category(
        slug="art-calligraphy",
        name="Art & calligraphy",
        intro="Colours, brushes, ground stone and bamboo pens for the Ranjana script.",
    ),
    Category(
        slug="school-geometry",
        name="School & geometry",
        intro="What the school list asks for, and what gets lost by the second week.",
    ),
    Category(
        slug="office-filing",
        name="Office & filing",
        intro="Staplers, reams, envelopes, and the red khata that opens a new year of business.",
    ),
    Category(
        slug="bags-cases",
        name="Bags & cases",
        intro="Sewn in the valley from dhaka, allo and good canvas.",
    ),
)

PRODUCTS: tuple[Product, ...] = (
    *notebooks.PRODUCTS,
    *lokta.PRODUCTS,
    *pens.PRODUCTS,
    *pencils.PRODUCTS,
    *art.PRODUCTS,
    *school.PRODUCTS,
    *office.PRODUCTS,
)

COUPONS: tuple[Coupon, ...] = (
    Coupon(code="DASHAIN10", name="Dashain: 10 % off everything", percent=10),
    Coupon(code="SWAGAT100", name="Swagat: Rs 100 off, once", off_paisa=100_00, once_per_customer=True),
)
