"""Notebooks and copies."""

from __future__ import annotations

from sandbox.demo.schema import Product

PRODUCTS: tuple[Product, ...] = (
    Product(
        slug="exercise-copy-80-pages",
        sku="SS-NB-001",
        title="Aksharika exercise copy, 80 pages",
        category="notebooks",
        price_paisa=45_00,
        stock=200,
        summary="Single-ruled school copy, 18 × 24 cm, 60 gsm.",
        description=(
            "<p>The copy on every school list: 80 pages of 60 gsm paper, single-ruled at 8 mm with a red "
            "margin, stitched along the back so that no page comes loose.</p>"
            "<p>18 × 24 cm. The cover has a plate for name, class, roll number and subject.</p>"
        ),
        recommended=("exercise-copies-pack-of-6", "hb-pencils-box-of-10", "eraser-white"),
    ),
    Product(
        slug="exercise-copies-pack-of-6",
        sku="SS-NB-002",
        title="Aksharika exercise copies, 120 pages, pack of 6",
        category="notebooks",
        price_paisa=390_00,
        stock=140,
        summary="Six copies in six colours, one for each subject.",
        description=(
            "<p>Six single-ruled copies of 120 pages each, in vermilion, marigold, green, blue, teal and "
            "plum: the right one comes out of the bag at the first try.</p>"
            "<p>18 × 24 cm, 60 gsm, stitched. Rs 65 a copy.</p>"
        ),
        recommended=("exercise-copy-80-pages", "geometry-set", "school-bag-24-litres"),
        featured=True,
    ),
    Product(
        slug="spiral-notebook-a5",
        sku="SS-NB-003",
        title="Spiral notebook, A5, 160 pages",
        category="notebooks",
        price_paisa=185_00,
        stock=96,
        summary="Wire-bound, ruled, lies flat and folds right round.",
        description=(
            "<p>A5, 160 ruled pages of 70 gsm on a double wire, so that it lies flat on a narrow desk and "
            "folds right round on the bus.</p>"
            "<p>Perforated leaves, a board back stiff enough to write on standing, and a pocket inside the "
            "cover for bills.</p>"
        ),
        recommended=("ball-pen-blue", "highlighters-set-of-5"),
    ),
    Product(
        slug="dhaka-notebook-a5",
        sku="SS-NB-004",
        title="Dhaka-cloth notebook, A5",
        category="notebooks",
        price_paisa=320_00,
        stock=64,
        summary="Hard cover in hand-woven dhaka, 144 plain pages.",
        description=(
            "<p>Bound in dhaka cloth hand-woven in Palpa: every length is different, so yours is the only one "
            "with its pattern.</p>"
            "<p>A5, 144 plain pages of 90 gsm cream paper, sewn in sections, with a ribbon.</p>"
            "<p>Please tell us in the order notes if you would rather have mostly red or mostly black.</p>"
        ),
        recommended=("dhaka-pencil-case", "fountain-pen-indigo"),
        featured=True,
    ),
    Product(
        slug="dotted-journal-a5",
        sku="SS-NB-005",
        title="Dotted journal, A5, 192 pages",
        category="notebooks",
        price_paisa=750_00,
        stock=38,
        summary="100 gsm dotted pages that ink does not shine through.",
        description=(
            "<p>192 numbered pages of 100 gsm paper with a 5 mm dot grid. Fountain pen ink neither feathers "
            "nor shines through.</p>"
            "<p>Forest-green hard cover, opens flat, elastic band, ribbon, and a pocket at the back.</p>"
        ),
        recommended=("gel-pens-set-of-10", "fountain-pen-indigo", "ink-bottle-indigo-50-ml"),
    ),
)
