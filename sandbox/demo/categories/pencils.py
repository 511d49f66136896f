"""Pencils, and what to draw on."""

from __future__ import annotations

from sandbox.demo.schema import Product

PRODUCTS: tuple[Product, ...] = (
    Product(
        slug="eraser-white",
        sku="SS-PD-001",
        title="Eraser, white",
        category="pencils-drawing",
        price_paisa=5_00,
        stock=150,
        summary="Soft vinyl in a paper sleeve, 43 × 17 × 10 mm.",
        description=(
            "<p>A soft white eraser that lifts pencil without tearing the copy. 43 × 17 × 10 mm, in a paper "
            "sleeve.</p>"
            "<p>At Rs 5 the smallest thing in the shop. (Khalti takes no payment below Rs 10: take two, or "
            "pay on delivery.)</p>"
        ),
        recommended=("hb-pencils-box-of-10", "metal-sharpener"),
    ),
    Product(
        slug="hb-pencils-box-of-10",
        sku="SS-PD-002",
        title="HB pencils, box of 10",
        category="pencils-drawing",
        price_paisa=120_00,
        stock=160,
        summary="Six-sided, dipped ends, leads that do not break.",
        description=(
            "<p>Ten HB pencils with a 2 mm lead that is glued in along its whole length, so that a fall does "
            "not break it inside.</p>"
            "<p>Six-sided, lacquered in vermilion, dipped in indigo. Unsharpened length 175 mm.</p>"
        ),
        recommended=("eraser-white", "metal-sharpener", "exercise-copy-80-pages"),
    ),
    Product(
        slug="sketch-pencils-tin-of-12",
        sku="SS-PD-003",
        title="Rangpokhari sketching pencils, tin of 12",
        category="pencils-drawing",
        price_paisa=850_00,
        stock=34,
        summary="From 8B to 2H in a flat tin.",
        description=(
            "<p>Twelve graphite pencils, 8B, 7B, 6B, 5B, 4B, 3B, 2B, B, HB, F, H and 2H, from the blackest "
            "shadow to the finest construction line.</p>"
            "<p>In a flat tin with a hinged lid.</p>"
        ),
        recommended=("sketchbook-a4", "eraser-white"),
    ),
    Product(
        slug="colour-pencils-24",
        sku="SS-PD-004",
        title="Rangpokhari colour pencils, 24 colours",
        category="pencils-drawing",
        price_paisa=560_00,
        stock=70,
        summary="Soft 3.3 mm leads that lie over one another.",
        description=(
            "<p>Twenty-four colours with a soft 3.3 mm lead, rich enough to lay over one another and firm "
            "enough to keep a point.</p>"
            "<p>Every pencil is named on its side in Nepali and English.</p>"
        ),
        recommended=("sketchbook-a4", "metal-sharpener"),
        featured=True,
    ),
    Product(
        slug="metal-sharpener",
        sku="SS-PD-005",
        title="Metal sharpener",
        category="pencils-drawing",
        price_paisa=60_00,
        stock=130,
        summary="Wedge of magnesium alloy, steel blade, one screw.",
        description=(
            "<p>A wedge of magnesium alloy with a hardened blade on a brass screw, for pencils of up to 8 mm. "
            "It is sharp when others have become toys.</p>"
            "<p>25 × 15 × 11 mm.</p>"
        ),
        recommended=("hb-pencils-box-of-10", "colour-pencils-24"),
    ),
    Product(
        slug="sketchbook-a4",
        sku="SS-PD-006",
        title="Sketchbook, A4, 100 pages, 120 gsm",
        category="pencils-drawing",
        price_paisa=425_00,
        stock=48,
        summary="Wire at the top, board back, takes a light wash.",
        description=(
            "<p>A4 with the wire at the top, out of the way of either hand. 100 pages of 120 gsm with a "
            "slight tooth, for pencil, pen and a light wash.</p>"
            "<p>The back is 2 mm board: no table needed on the steps of Patan.</p>"
        ),
        recommended=("sketch-pencils-tin-of-12", "watercolours-18-pans"),
    ),
)
