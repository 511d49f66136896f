"""School and geometry."""

from __future__ import annotations

from sandbox.demo.schema import Product

PRODUCTS: tuple[Product, ...] = (
    Product(
        slug="geometry-set",
        sku="SS-SG-001",
        title="Naksabindu geometry set, 9 pieces",
        category="school-geometry",
        price_paisa=260_00,
        stock=115,
        summary="Compass, divider, set squares, protractor and more, in a tin.",
        description=(
            "<p>A compass, a divider, two set squares (45° and 60°), a protractor, a 15 cm ruler, a pencil, an "
            "eraser and a sharpener, in a tin that survives the bag.</p>"
            "<p>Nine pieces, the tin not counted. The compass takes any short pencil; one is in it.</p>"
        ),
        recommended=("hb-pencils-box-of-10", "steel-ruler-30-cm", "exercise-copies-pack-of-6"),
    ),
    Product(
        slug="steel-ruler-30-cm",
        sku="SS-SG-002",
        title="Steel ruler, 30 cm",
        category="school-geometry",
        price_paisa=70_00,
        stock=125,
        summary="Stainless, etched, millimetres and inches.",
        description=(
            "<p>Thirty centimetres of stainless steel, 1 mm thick, the scale etched and not printed: "
            "millimetres on one edge, eighths of an inch on the other.</p>"
            "<p>A straight edge to cut along, and a hole to hang it by.</p>"
        ),
        recommended=("geometry-set", "school-scissors"),
    ),
    Product(
        slug="glue-stick-21-g",
        sku="SS-SG-003",
        title="Glue stick, 21 g",
        category="school-geometry",
        price_paisa=85_00,
        stock=150,
        summary="Paper and card; washes off with water.",
        description=(
            "<p>A 21 g stick for paper, card and photographs. It goes on smoothly, gives you half a minute to "
            "straighten things, and washes off with water.</p>"
            "<p>Without solvent.</p>"
        ),
        recommended=("school-scissors", "lokta-photo-album"),
    ),
    Product(
        slug="school-scissors",
        sku="SS-SG-004",
        title="School scissors, 13 cm",
        category="school-geometry",
        price_paisa=110_00,
        stock=100,
        summary="Round points, for either hand.",
        description=(
            "<p>13 cm, stainless blades with round points, soft loops that fit either hand, and a screw that "
            "can be tightened.</p>"
            "<p>From about five years.</p>"
        ),
        recommended=("glue-stick-21-g", "steel-ruler-30-cm"),
    ),
    Product(
        slug="wooden-slate",
        sku="SS-SG-005",
        title="Wooden slate with 6 chalks",
        category="school-geometry",
        price_paisa=180_00,
        stock=55,
        summary="For the first letters, on Shree Panchami and after.",
        description=(
            "<p>A slate of 20 × 28 cm in a frame of planed utis wood, faintly lined, with six sticks of "
            "dustless chalk: three white, one pink, one yellow, one blue.</p>"
            "<p>Many children in the valley write their first letters on Shree Panchami, the day of "
            "Saraswati. It is a good day for a slate.</p>"
        ),
        recommended=("hb-pencils-box-of-10", "eraser-white"),
    ),
)
