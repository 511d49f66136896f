"""Office and filing, bags and cases."""

from __future__ import annotations

from sandbox.demo.schema import Product

PRODUCTS: tuple[Product, ...] = (
    Product(
        slug="stapler-with-pins",
        sku="SS-OF-001",
        title="Stapler, 24/6, with 1,000 pins",
        category="office-filing",
        price_paisa=380_00,
        stock=52,
        summary="Twenty sheets at a stroke, all metal inside.",
        description=(
            "<p>A half-strip stapler for 24/6 pins that takes twenty sheets of 75 gsm at a stroke and opens "
            "flat to tack a notice to the board.</p>"
            "<p>All metal inside; with a box of 1,000 pins.</p>"
        ),
        recommended=("copier-paper-a4-ream", "khaki-envelopes-25"),
    ),
    Product(
        slug="sticky-notes-4-pads",
        sku="SS-OF-002",
        title="Sticky notes, 4 pads of 100",
        category="office-filing",
        price_paisa=220_00,
        stock=95,
        summary="76 × 76 mm in marigold, rose, green and blue.",
        description=(
            "<p>Four pads of 100 notes, 76 × 76 mm, in marigold, rose, leaf green and sky blue. They stick, "
            "come off clean, and stick again.</p>"
            "<p>75 gsm, so that a pen does not show on the note below.</p>"
        ),
        recommended=("highlighters-set-of-5", "stapler-with-pins"),
    ),
    Product(
        slug="copier-paper-a4-ream",
        sku="SS-OF-003",
        title="Himdhara copier paper, A4, 75 gsm, 500 sheets",
        category="office-filing",
        price_paisa=720_00,
        stock=80,
        summary="A ream that does not jam, in a wrapper that keeps the damp out.",
        description=(
            "<p>500 sheets of A4, 75 gsm, for laser and inkjet printers and copiers, both sides.</p>"
            "<p>The wrapper is lined, which matters in the monsoon. Five reams fit a carton.</p>"
        ),
        recommended=("stapler-with-pins", "khaki-envelopes-25"),
    ),
    Product(
        slug="khaki-envelopes-25",
        sku="SS-OF-004",
        title="Khaki envelopes, A4, pack of 25",
        category="office-filing",
        price_paisa=175_00,
        stock=88,
        summary="Ribbed brown paper, 100 gsm, string and washer.",
        description=(
            "<p>Twenty-five envelopes of 25 × 35 cm in ribbed khaki paper of 100 gsm, which take A4 without "
            "folding and close with a string and two washers: as often as the office needs.</p>"
            "<p>Tied with jute, without plastic.</p>"
        ),
        recommended=("copier-paper-a4-ream", "stapler-with-pins"),
    ),
    Product(
        slug="account-book-khata",
        sku="SS-OF-005",
        title="Account book (khata), red cloth, 200 leaves",
        category="office-filing",
        price_paisa=540_00,
        stock=36,
        summary="The long red book that opens a new year of business.",
        description=(
            "<p>The traditional account book: 200 leaves of 70 gsm, long and narrow at 17 × 42 cm, in quilted "
            "red cloth stitched with white thread and tied with a cord.</p>"
            "<p>Folded for the columns rather than ruled, as a khata should be. Opened on the first of the "
            "business year with a lotus, a tika and a prayer for good sales.</p>"
        ),
        recommended=("ball-pen-blue", "stapler-with-pins"),
        featured=True,
    ),
    Product(
        slug="school-bag-24-litres",
        sku="SS-BC-001",
        title="School bag, 24 litres",
        category="bags-cases",
        price_paisa=2850_00,
        stock=28,
        summary="Two pockets, a padded back and a band of dhaka.",
        description=(
            "<p>24 litres in indigo canvas with a coated base: one large compartment with a sleeve for files, "
            "two front pockets with zips, two side pockets for bottles.</p>"
            "<p>Padded back and straps, reflecting thread in the seams. 45 × 32 × 17 cm, 720 g.</p>"
            "<p>Sewn in Lalitpur; we repair zips and straps at cost.</p>"
        ),
        recommended=("dhaka-pencil-case", "exercise-copies-pack-of-6", "geometry-set"),
        featured=True,
    ),
    Product(
        slug="dhaka-pencil-case",
        sku="SS-BC-002",
        title="Dhaka pencil case",
        category="bags-cases",
        price_paisa=450_00,
        stock=66,
        summary="Lined, zipped, 22 × 10 cm.",
        description=(
            "<p>A flat-bottomed case in hand-woven dhaka with a cotton lining and a brass zip. 22 × 10 × 5 "
            "cm: room for twenty pencils, a ruler of 20 cm and a secret.</p>"
            "<p>Wash by hand in cold water.</p>"
        ),
        recommended=("colour-pencils-24", "school-bag-24-litres"),
    ),
    Product(
        slug="allo-pen-roll",
        sku="SS-BC-003",
        title="Allo pen roll, 12 slots",
        category="bags-cases",
        price_paisa=1150_00,
        stock=20,
        summary="Woven from Himalayan nettle, tied with leather.",
        description=(
            "<p>Allo is the giant nettle of the high hills; its fibre is spun and woven by women in "
            "Sankhuwasabha. Unbleached, strong as linen, softer each year.</p>"
            "<p>Twelve slots for pens, pencils or brushes of up to 18 cm, and a leather tie. Sold empty. Open "
            "36 × 24 cm.</p>"
        ),
        recommended=("sketch-pencils-tin-of-12", "fountain-pen-indigo", "round-brushes-set-of-6"),
    ),
    Product(
        slug="canvas-book-tote",
        sku="SS-BC-004",
        title="Canvas book tote",
        category="bags-cases",
        price_paisa=690_00,
        stock=42,
        summary="340 gsm cotton, screen-printed by hand.",
        description=(
            "<p>Unbleached cotton canvas of 340 gsm, 38 × 42 cm, with handles long enough for the shoulder "
            "and stitched down with crosses. It carries ten kilos of books.</p>"
            "<p>The lotus over the books is screen-printed by hand with water-based ink.</p>"
        ),
        recommended=("lokta-journal-a5", "dhaka-notebook-a5"),
    ),
)
