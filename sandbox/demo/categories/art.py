"""Colours, brushes and calligraphy."""

from __future__ import annotations

from sandbox.demo.schema import Product

PRODUCTS: tuple[Product, ...] = (
    Product(
        slug="watercolours-18-pans",
        sku="SS-AC-001",
        title="Rangpokhari watercolours, 18 half pans",
        category="art-calligraphy",
        price_paisa=1250_00,
        stock=30,
        summary="In a metal box with three wells and a brush.",
        description=(
            "<p>Eighteen half pans that wake at the first touch of water, in an enamelled metal box whose lid "
            "has three wells for mixing.</p>"
            "<p>With a round brush, size 6. Single pans can be bought again at the shop.</p>"
        ),
        recommended=("round-brushes-set-of-6", "sketchbook-a4"),
        featured=True,
    ),
    Product(
        slug="round-brushes-set-of-6",
        sku="SS-AC-002",
        title="Round brushes, set of 6",
        category="art-calligraphy",
        price_paisa=540_00,
        stock=45,
        summary="Sizes 2, 4, 6, 8, 10 and 12, synthetic hair.",
        description=(
            "<p>Six round brushes in synthetic hair that holds water as squirrel does, comes to a point and "
            "springs back. Sizes 2, 4, 6, 8, 10 and 12.</p>"
            "<p>Seamless ferrules, lacquered birch handles.</p>"
        ),
        recommended=("watercolours-18-pans", "acrylic-colours-12-tubes"),
    ),
    Product(
        slug="ranjana-calligraphy-set",
        sku="SS-AC-003",
        title="Ranjana calligraphy set",
        category="art-calligraphy",
        price_paisa=1450_00,
        stock=3,
        summary="Four bamboo pens, black ink, lokta, and a first lesson.",
        description=(
            "<p>Four bamboo pens with nibs of 2, 3, 5 and 6 mm, cut by hand in Bhaktapur, a 30 ml bottle of "
            "black ink and ten practice sheets of lokta.</p>"
            "<p>The leaflet shows the strokes of the Ranjana script one after another, from the head line "
            "down, and how to cut a pen again.</p>"
        ),
        recommended=("lokta-sheets-natural", "mineral-pigments-8-jars"),
        featured=True,
    ),
    Product(
        slug="acrylic-colours-12-tubes",
        sku="SS-AC-004",
        title="Rangpokhari acrylic colours, 12 tubes of 12 ml",
        category="art-calligraphy",
        price_paisa=980_00,
        stock=40,
        summary="Covers canvas, wood, clay and walls.",
        description=(
            "<p>Twelve 12 ml tubes of acrylic that covers in one coat, dries in about twenty minutes and does "
            "not wash out again.</p>"
            "<p>For canvas, wood, clay, stone, cloth and, with permission, walls.</p>"
        ),
        recommended=("round-brushes-set-of-6",),
    ),
    Product(
        slug="mineral-pigments-8-jars",
        sku="SS-AC-005",
        title="Stone-ground pigments, 8 jars of 10 g",
        category="art-calligraphy",
        price_paisa=3450_00,
        stock=0,
        summary="Mineral colours as paubha painters use them.",
        description=(
            "<p>Eight mineral and earth colours, ground by hand for weeks on stone, as paubha painters use "
            "them: azurite, malachite, cinnabar red, orpiment-hued ochre, white clay, red earth, green earth "
            "and lampblack.</p>"
            "<p>8 × 10 g in glass jars on a wooden tray, with a scoop. To be bound with hide glue, not "
            "included.</p>"
            "<p>Not for children. Do not breathe the dust.</p>"
        ),
        recommended=("round-brushes-set-of-6", "ranjana-calligraphy-set"),
    ),
)
