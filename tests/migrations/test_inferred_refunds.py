"""R4: the version before inferred results of refunds from lookup; the migration marks them."""

import pytest

from loyalink_khalti.payments.models import Refund
from tests.migrating import migrate, migrate_to_before

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROWS = {
    "confirmed": ("done", "Transaction refund successful.", 9_000, True),
    "inferred": ("done", "Partially Refunded", 9_000, True),
    "inferred, last": ("done", "Refunded", 9_000, True),
    "full": ("done", "Refunded", 20_000, True),
    "not made": ("refused", "Completed", 9_000, True),
    "refused by Khalti": ("refused", "Refund is not allowed.", 9_000, True),
    "by staff": ("done", "Shown in Khalti's dashboard.", 9_000, True),
    "in the dashboard": ("done", "Refunded", 9_000, False),
}


def test_refunds_that_were_inferred_before_are_marked() -> None:
    """R4"""
    models = migrate_to_before("mark_inferred_refunds")
    get = lambda name: models.get_model("loyalink_khalti", name).objects  # noqa: E731
    purchase = get("Purchase").create(
        shop="fake", ref="1", origin="basket", site_key="default", language="en", method="khalti", cart={},
        total=20_000, amount_due=20_000, state="placed",
    )  # fmt: skip
    key = get("Credentials").create(
        site_key="default", environment="test", base_url="https://dev.khalti.com/api/v2/", fingerprint="12345678"
    )
    payment = get("Payment").create(
        purchase=purchase, credentials=key, environment="test", amount=20_000, captured=20_000, state="fulfilled"
    )
    for name, (state, message, amount, was_sent) in ROWS.items():
        get("Refund").create(
            purchase=purchase, payment=payment, key=name, state=state, khalti_message=message, subtotal=amount,
            shipping=0, amount=amount, sent_at=purchase.created_at if was_sent else None,
        )  # fmt: skip

    migrate()

    inferred = Refund.objects.filter(inferred=True).order_by("pk").values_list("key", flat=True)
    assert list(inferred) == ["inferred", "inferred, last", "not made"]
