"""The Khalti number of a refund: only once Khalti asked for it, and kept masked and hashed, never in clear (M22)."""

import logging
from typing import Any

import pytest
from django.db import connection

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, KhaltiRejected
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import refund_mobile
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.staff.labels import refund_rows
from loyalink_khalti.staff.refund_form import RefundForm
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

MOBILE, OTHER = "9800000904", "9800000905"
ASKS = (400, {}, '{"mobile": ["This field is required."], "error_key": "validation_error"}')


@pytest.fixture
def purchase(payment: Payment, khalti: Khalti) -> Purchase:
    """A paid order of Rs 2,500, Rs 50 of it by points."""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    return Purchase.objects.get()


def refund(purchase: Purchase, key: str, mobile: str = "") -> Refund:
    return flow.refund_order(purchase, subtotal=Paisa(100_000), shipping=Paisa(0), key=key, actor="3", mobile=mobile)


def everything_stored() -> str:
    """All rows of all tables of the package, as text."""
    with connection.cursor() as cursor:
        names = [each for each in connection.introspection.table_names(cursor) if each.startswith("loyalink_khalti")]
        rows = []
        for name in names:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(name)}")
            rows += cursor.fetchall()
    return str(rows)


def test_a_refund_keeps_the_number_masked_and_as_a_keyed_hash(
    purchase: Purchase, khalti: Khalti, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """M22: to which number the money went was stored and logged nowhere."""
    khalti.next_refund.append(ASKS)
    with caplog.at_level(logging.DEBUG):
        asked = refund(purchase, "first")
        made = refund(purchase, "second", MOBILE)

    assert (asked.state, made.state) == ("refused", "done")
    assert khalti.refunded[1][1]["mobile"] == MOBILE
    assert (made.mobile_masked, len(made.mobile_hash)) == ("98XXXXX904", 64)
    assert [refund_mobile.is_of(made, each) for each in (MOBILE, f"+977 {MOBILE}", OTHER, "")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert MOBILE not in everything_stored() + caplog.text


def test_the_hash_needs_the_shops_key_and_survives_its_rotation(
    purchase: Purchase, khalti: Khalti, settings: Any
) -> None:
    """M22"""
    khalti.next_refund.append(ASKS)
    refund(purchase, "first")
    made, key = refund(purchase, "second", MOBILE), settings.SECRET_KEY
    settings.SECRET_KEY = "another"
    unknown = refund_mobile.is_of(made, MOBILE)
    settings.SECRET_KEY_FALLBACKS = [key]

    assert (unknown, refund_mobile.is_of(made, MOBILE)) == (False, True)


def test_a_number_that_khalti_repeats_is_masked(purchase: Purchase, khalti: Khalti) -> None:
    """M22: a sibling: Khalti's own words are kept with the refund."""
    khalti.next_refund += [ASKS, (400, {}, f'{{"mobile": ["{MOBILE} has no account."]}}')]
    refund(purchase, "first")

    assert refund(purchase, "second", MOBILE).khalti_message == "mobile: 98XXXXX904 has no account."
    assert MOBILE not in everything_stored()


def test_a_number_is_refused_before_khalti_has_asked_for_one(purchase: Purchase, khalti: Khalti) -> None:
    """M22: the number of somebody else would take the money of a payment from a wallet."""
    with pytest.raises(CannotRefund, match="has not asked for a number"):
        refund(purchase, "first", MOBILE)

    assert (khalti.refunded, Refund.objects.count()) == ([], 0)


def test_another_refusal_asks_for_no_number(purchase: Purchase, khalti: Khalti) -> None:
    """M22"""
    khalti.next_refund.append((400, {}, '{"detail": "Insufficient balance."}'))
    refund(purchase, "first")

    with pytest.raises(CannotRefund, match="has not asked for a number"):
        refund(purchase, "second", MOBILE)
    assert "mobile" not in RefundForm(purchase=purchase).fields


def test_the_form_offers_the_field_once_khalti_has_asked(purchase: Purchase, khalti: Khalti) -> None:
    """M22"""
    before = "mobile" in RefundForm(purchase=purchase).fields
    khalti.next_refund.append(ASKS)
    refund(purchase, "first")

    assert (before, "mobile" in RefundForm(purchase=purchase).fields) == (False, True)
    assert refund_rows(purchase)[0].refund.khalti_message == "mobile: This field is required."


def test_a_payment_that_bought_nothing_is_refunded_to_a_number_that_khalti_asked_for(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """M22: the same for a flag."""
    khalti.pay(payment.pidx, total_amount=100_000)
    flow.verify_payment(payment)
    flag = Flag.objects.get()
    how: dict[str, Any] = {"actor": "3", "reason": "Too little."}
    with pytest.raises(CannotRefund, match="has not asked for a number"):
        flow.resolve_flag(flag, flow.Resolution.REFUND, mobile=MOBILE, **how)
    khalti.next_refund.append(ASKS)
    flow.resolve_flag(flag, flow.Resolution.REFUND, **how)

    assert flow.resolve_flag(flag, flow.Resolution.REFUND, mobile=MOBILE, **how).resolution == "refunded"
    assert Refund.objects.get(state="done").mobile_masked == "98XXXXX904"


def test_a_refund_without_a_number_keeps_none(purchase: Purchase) -> None:
    made = refund(purchase, "first")

    assert (made.mobile_masked, made.mobile_hash, made.mobile_requested) == ("", "", False)


def test_erasing_the_customer_erases_the_number(purchase: Purchase, khalti: Khalti) -> None:
    """M22"""
    khalti.next_refund.append(ASKS)
    refund(purchase, "first")
    refund(purchase, "second", MOBILE)
    _head, rows = flow.export_personal_data(flow.member_subject("7"))
    exported = [each["khalti_number"] for row in rows for each in row["refunds"]]
    flow.erase_personal_data(flow.member_subject("7"))

    assert "98XXXXX904" in exported
    assert set(Refund.objects.values_list("mobile_masked", "mobile_hash")) == {("", "")}


@pytest.mark.parametrize(
    ("status_code", "detail", "asks"),
    [
        (400, {"mobile": ["This field is required."]}, True),
        (400, {"detail": "Bank refund needs a Khalti ID."}, True),
        (400, {"detail": "Transaction refund failed."}, False),
        (401, {"detail": "mobile"}, False),
        (404, {"mobile": ["Not found."]}, False),
    ],
)
def test_only_a_refusal_that_names_the_number_asks_for_it(status_code: int, detail: Any, asks: bool) -> None:
    assert refund_mobile.asks_for_mobile(KhaltiRejected("refund/", status_code=status_code, detail=detail)) is asks


@pytest.mark.parametrize(
    ("mobile", "masked"), [("9800000904", "98XXXXX904"), ("+977-9800000904", "98XXXXX904"), ("12", "XXXXX")]
)
def test_a_number_is_masked_as_khalti_masks_it(mobile: str, masked: str) -> None:
    assert refund_mobile.mask(mobile) == masked
