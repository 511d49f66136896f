"""Pens and ink."""

from __future__ import annotations

from sandbox.demo.schema import Product

PRODUCTS: tuple[Product, ...] = (
    Product(
        slug="ball-pen-blue",
        sku="SS-PN-001",
        title="Kalamkuti ball pen, blue, 0.7 mm",
        category="pens-ink",
        price_paisa=25_00,
        stock=200,
        summary="Click, write, pass the exam.",
        description=(
            "<p>A click ball pen with a 0.7 mm point, a rubber grip and enough quick-drying ink for about "
            "1,200 metres of line.</p>"
            "<p>Takes the common 107 mm refill.</p>"
        ),
        recommended=("exercise-copy-80-pages", "spiral-notebook-a5"),
    ),
    Product(
        slug="gel-pens-set-of-10",
        sku="SS-PN-002",
        title="Kalamkuti gel pens, set of 10 colours",
        category="pens-ink",
        price_paisa=350_00,
        stock=85,
        summary="Ten colours, 0.5 mm, in a clear sleeve.",
        description=(
            "<p>Ten gel pens from yellow to black with a 0.5 mm point and a cap that clicks. The ink is "
            "water-based and does not smell.</p>"
            "<p>In a clear sleeve that stands in a cup.</p>"
        ),
        recommended=("dotted-journal-a5", "highlighters-set-of-5"),
    ),
    Product(
        slug="fountain-pen-indigo",
        sku="SS-PN-003",
        title="Kalamkuti fountain pen, indigo, fine nib",
        category="pens-ink",
        price_paisa=1999_00,
        stock=26,
        summary="Steel nib, brass body, converter in the box.",
        description=(
            "<p>A brass body in eight coats of indigo lacquer, gold-coloured trim, and a fine steel nib that "
            "is tuned and tested before it leaves the shop.</p>"
            "<p>Comes with a converter for bottled ink and two blue cartridges. 138 mm capped, 24 g.</p>"
            "<p>We smooth or straighten the nib without charge for as long as you own it.</p>"
        ),
        recommended=("ink-bottle-indigo-50-ml", "lokta-journal-a5", "dotted-journal-a5"),
        featured=True,
    ),
    Product(
        slug="ink-bottle-indigo-50-ml",
        sku="SS-PN-004",
        title="Bottled ink, indigo, 50 ml",
        category="pens-ink",
        price_paisa=450_00,
        stock=60,
        summary="For fountain pens: dries in seconds, washes off cuffs.",
        description=(
            "<p>50 ml of a deep indigo with a red sheen where the line is wet. Safe for fountain pens, dry in "
            "about eight seconds, and it washes out of a school shirt.</p>"
            "<p>The glass bottle has a wide neck, so that the last drop can be reached.</p>"
        ),
        recommended=("fountain-pen-indigo", "dotted-journal-a5"),
    ),
    Product(
        slug="highlighters-set-of-5",
        sku="SS-PN-005",
        title="Highlighters, set of 5",
        category="pens-ink",
        price_paisa=275_00,
        stock=90,
        summary="Yellow, green, pink, orange, blue; 1 to 4 mm.",
        description=(
            "<p>Five highlighters with a chisel tip: 4 mm for a line of print, 1 mm for a line under it. They "
            "do not smear gel or ball pen.</p>"
            "<p>Yellow, green, pink, orange and blue.</p>"
        ),
        recommended=("sticky-notes-4-pads", "spiral-notebook-a5"),
    ),
)
