"""Lokta paper, and the cards and envelopes made of it."""

from __future__ import annotations

from sandbox.demo.schema import Product

PRODUCTS: tuple[Product, ...] = (
    Product(
        slug="lokta-journal-a5",
        sku="SS-LK-001",
        title="Lokta paper journal, A5",
        category="lokta-paper",
        price_paisa=2500_00,
        stock=50,
        summary="Hand-bound, 200 pages of natural lokta, tied with a cord.",
        description=(
            "<p>A journal for a lifetime: 200 pages of natural lokta, made sheet by sheet in the hills of "
            "Baglung and bound by hand in Kathmandu with an exposed cotton stitch.</p>"
            "<p>A5, paper of about 60 gsm with its deckle edge left on, cover of double lokta with a printed "
            "pipal leaf, closed with a cord and a wooden button.</p>"
            "<p>Takes ink, pencil and gouache. Lokta keeps for centuries; the oldest charters in the valley "
            "are written on it.</p>"
        ),
        recommended=("fountain-pen-indigo", "ink-bottle-indigo-50-ml", "lokta-letter-set"),
        featured=True,
    ),
    Product(
        slug="lokta-photo-album",
        sku="SS-LK-002",
        title="Lokta photo album, 24 × 24 cm",
        category="lokta-paper",
        price_paisa=1850_00,
        stock=22,
        summary="40 pages of dyed and natural lokta, window in the cover.",
        description=(
            "<p>Forty pages of heavy lokta (about 150 gsm), 24 × 24 cm, tied with a ribbon so that pages can "
            "be added. The window in the cover takes a 10 × 15 cm photograph.</p>"
            "<p>The cover is dyed with madder. Thin tissue lies between the pages.</p>"
        ),
        recommended=("lokta-journal-a5", "glue-stick-21-g"),
    ),
    Product(
        slug="lokta-wrapping-sheets",
        sku="SS-LK-003",
        title="Block-printed lokta wrapping, 5 sheets",
        category="lokta-paper",
        price_paisa=650_00,
        stock=75,
        summary="Five sheets of 50 × 75 cm, each with its own print.",
        description=(
            "<p>Five sheets of lokta, 50 × 75 cm, printed by hand with carved wooden blocks: lotus, rosette, "
            "pipal leaf, stripe and river.</p>"
            "<p>Strong enough to be unwrapped and used again, and again after that.</p>"
        ),
        recommended=("gift-envelopes-set-of-10", "lokta-sheets-natural"),
    ),
    Product(
        slug="lokta-letter-set",
        sku="SS-LK-004",
        title="Lokta letter set, 12 sheets and 12 envelopes",
        category="lokta-paper",
        price_paisa=480_00,
        stock=58,
        summary="Letter paper with a sprig of pipal, and envelopes to match.",
        description=(
            "<p>Twelve sheets of 15 × 21 cm and twelve envelopes of 11 × 16 cm in natural lokta. The sheets "
            "carry a small sprig and faint lines.</p>"
            "<p>Comes in a folded lokta sleeve, with a stick of red sealing wax.</p>"
        ),
        recommended=("fountain-pen-indigo", "lokta-journal-a5"),
    ),
    Product(
        slug="lokta-sheets-natural",
        sku="SS-LK-005",
        title="Natural lokta sheets, 50 × 75 cm, pack of 10",
        category="lokta-paper",
        price_paisa=900_00,
        stock=1,
        summary="Undyed, dried in the sun, about 40 gsm.",
        description=(
            "<p>Ten undyed sheets of about 40 gsm, 50 × 75 cm, dried on the frame in the sun. For printing, "
            "bookbinding, lampshades and windows.</p>"
            "<p>Each sheet has a smooth side and a rough one, and four deckle edges.</p>"
        ),
        recommended=("ranjana-calligraphy-set", "lokta-wrapping-sheets"),
    ),
    Product(
        slug="dashain-cards-set-of-6",
        sku="SS-FC-001",
        title="Dashain cards, set of 6",
        category="festive-cards",
        price_paisa=360_00,
        stock=120,
        summary="Kites over the hills; lokta, with envelopes.",
        description=(
            "<p>Six cards of 12 × 17 cm with kites, jamara and marigold, printed on lokta card of about 200 "
            "gsm, blank inside, with six lokta envelopes.</p>"
            "<p>Please order for Ghatasthapana if they are to arrive abroad by Tika.</p>"
        ),
        recommended=("gift-envelopes-set-of-10", "tihar-cards-set-of-6"),
    ),
    Product(
        slug="tihar-cards-set-of-6",
        sku="SS-FC-002",
        title="Tihar cards, set of 6",
        category="festive-cards",
        price_paisa=360_00,
        stock=110,
        summary="A lamp in a ring of marigolds; lokta, with envelopes.",
        description=(
            "<p>Six cards of 12 × 17 cm with a lamp, a garland and a night full of stars, printed on lokta "
            "card of about 200 gsm, blank inside.</p>"
            "<p>With six marigold and natural lokta envelopes.</p>"
        ),
        recommended=("dashain-cards-set-of-6", "gift-envelopes-set-of-10"),
    ),
    Product(
        slug="gift-envelopes-set-of-10",
        sku="SS-FC-003",
        title="Red gift envelopes, set of 10",
        category="festive-cards",
        price_paisa=120_00,
        stock=180,
        summary="For dakshina: red lokta with a golden lotus.",
        description=(
            "<p>Ten envelopes of 9 × 18 cm in red lokta, screen-printed with a lotus in gold. A banknote fits "
            "without folding.</p>"
            "<p>For dakshina at Dashain, for weddings and for pasni.</p>"
        ),
        recommended=("dashain-cards-set-of-6", "lokta-wrapping-sheets"),
    ),
)
