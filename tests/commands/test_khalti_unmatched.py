"""``khalti_unmatched``: the same as the desk's page, for a shop without Wagtail's admin."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, states_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

PIDX = "bZQLD9wRVWo4CdESSfuSsB"
BY = {"actor": "1", "reason": "the customer showed the receipt"}


def command(*args: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command("khalti_unmatched", *map(str, args), stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def row(shop: FakeShop, khalti: Khalti) -> UnmatchedPayment:
    khalti.knows(PIDX, 250_000)
    khalti.pay(PIDX)
    flow.keep_return(pidx=PIDX, site_key="default", network="", order_id="order-1-1")
    list(flow.reconcile())
    return UnmatchedPayment.objects.get()


@pytest.fixture
def order(shop: FakeShop, khalti: Khalti) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart()))


def test_it_lists_what_waits_for_staff(row: UnmatchedPayment) -> None:
    text = command()

    assert f"#{row.pk} {PIDX}" in text
    assert f"transaction T-{PIDX}" in text
    assert "the browser claims order id order-1-1, which proves nothing" in text


def test_without_any_it_says_so(shop: FakeShop) -> None:
    assert command() == "No unmatched payments.\n"


def test_without_yes_nothing_is_changed(row: UnmatchedPayment, order: Payment, shop: FakeShop) -> None:
    """R5i"""
    text = command(row.pk, "attach", "order-1", **BY)

    assert "become a payment of order order-1" in text
    assert "Nothing was changed: add --yes." in text
    assert (UnmatchedPayment.objects.get().state, shop.confirmed) == ("found", [])


def test_it_attaches(row: UnmatchedPayment, order: Payment, shop: FakeShop) -> None:
    """R5i"""
    text = command(row.pk, "attach", "order-1", yes=True, **BY)

    assert "Attached. The payment is fulfilled." in text
    assert shop.confirmed == [("order-1", 250_000)]
    assert states_of(Payment.objects.get(pidx=PIDX)) == ("fulfilled", "placed")


def test_it_refunds_once(row: UnmatchedPayment, khalti: Khalti) -> None:
    text = command(row.pk, "refund", yes=True, **BY)
    with pytest.raises(CommandError, match="A colleague has dealt with"):
        command(row.pk, "refund", yes=True, **BY)

    assert "Khalti has refunded" in text
    assert len(khalti.refunded) == 1


def test_a_refund_that_khalti_refuses_is_an_error_that_names_the_flag(row: UnmatchedPayment, khalti: Khalti) -> None:
    khalti.next_refund.append((400, {}, '{"detail": "Insufficient balance."}'))

    with pytest.raises(CommandError, match=r"The refund is refused: .*Insufficient balance\. Its payment has a flag"):
        command(row.pk, "refund", yes=True, **BY)


def test_it_dismisses_and_reopens(row: UnmatchedPayment) -> None:
    command(row.pk, "not_ours", yes=True, **BY)
    listed = command()
    shown = command(row.pk)
    command(row.pk, "reopen", yes=True, **BY)

    assert listed == "No unmatched payments.\n"
    assert "staff1@shop.example: the customer showed the receipt" in shown
    assert UnmatchedPayment.objects.get().state == "found"


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((99,), {}, "There is no unmatched payment 99"),
        (("ROW", "attach"), BY, "Name the order"),
        (("ROW", "attach", "N-9"), BY, "There is no order 'N-9'"),
        (("ROW", "refund"), {"reason": "x"}, "--actor is required"),
        (("ROW", "refund"), {"actor": "1", "reason": "", "yes": True}, "Enter a reason"),
        (("ROW", "reopen"), BY | {"yes": True}, "A colleague has dealt with"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    args: Any, options: Any, message: str, row: UnmatchedPayment, khalti: Khalti
) -> None:
    with pytest.raises(CommandError, match=message):
        command(*(row.pk if each == "ROW" else each for each in args), **options)

    assert (UnmatchedPayment.objects.get().state, khalti.refunded) == ("found", [])
