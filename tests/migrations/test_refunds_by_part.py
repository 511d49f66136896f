"""M4, M18: refunds and rules of the version before, through the migrations."""

from typing import Any

import pytest

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Rounding
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase
from tests.migrating import migrate, migrate_to_before

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_an_order_that_was_refunded_and_rules_that_round_keep_their_meaning() -> None:
    """M4: of Rs 200 points paid Rs 150, and all was refunded. M18: the rules of a site say "rounded up"."""
    models = migrate_to_before("refunds_by_part")
    get = lambda name: models.get_model("loyalink_khalti", name).objects  # noqa: E731
    cart: dict[str, Any] = {"shipping": 10_000, "total": 20_000}
    old = get("Purchase").create(
        shop="fake", ref="1", origin="basket", site_key="default", language="en", method="khalti", cart=cart,
        total=20_000, points_redeemed=1_500, points_value=15_000, amount_due=5_000, state="placed",
    )  # fmt: skip
    for key, subtotal, money in (("1", 10_000, 0), ("2", 0, 5_000)):
        get("Refund").create(
            purchase=old, key=key, state="done", subtotal=subtotal, shipping=money, amount=money
        )  # fmt: skip
    stored = {name: value for name, value in Rules(rounding=Rounding.CEIL).to_json().items() if name != "base_rounding"}
    program, _new = get("Program").get_or_create(site_key="shop.example", active=True)
    get("ProgramVersion").create(program=program, number=1, stored=stored)

    migrate()

    purchase = Purchase.objects.get()
    assert (refunds.totals(purchase).shipping, refunds.totals(purchase).shipping_amount) == (10_000, 5_000)
    version = ledger.current_version("shop.example")
    assert (version.number, version.rules) == (2, Rules(rounding=Rounding.CEIL))
    first = version.program.versions.get(number=1)
    assert (first.stored, first.rules.base_rounding) == (stored, Rounding.FLOOR)
