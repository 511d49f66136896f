"""R3: placed orders that were deleted in the database are named, can be refunded, and the matter can be closed."""

from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotResolve, SelfDealing
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import missing_orders
from loyalink_khalti.payments.job_runs import LastRun
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, points, states_of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]
ALL_OF_IT: dict[str, Any] = {"subtotal": Paisa(250_000), "shipping": Paisa(0), "key": "all", "actor": "1"}


@pytest.fixture
def bought(payment: Payment, khalti: Khalti, shop: FakeShop) -> Purchase:
    """Rs 2,450 and 500 points paid for an order that was deleted."""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    shop.delete_order("order-1")
    return Purchase.objects.get()


def broken() -> list[tuple[str, str]]:
    return [(each.invariant, each.subject) for each in flow.audit_violations()]


def run_pass() -> None:
    for _result in flow.reconcile():
        pass


def test_the_audit_names_it(bought: Purchase) -> None:
    """R3, R3e, I20: it only counted that there was an order less."""
    assert broken() == [("I20", "fake:order-1")]


def test_it_is_refunded_like_any_other(bought: Purchase, khalti: Khalti, account: Account) -> None:
    """R3, R3e: money and points go back; there is no order to record it on."""
    refund = flow.refund_order(bought, **ALL_OF_IT)

    assert (refund.state, refund.applied_at is not None, len(khalti.refunded)) == ("done", True, 1)
    assert points(account) == (1000, 0, 0)
    assert broken() == [("I20", "fake:order-1")]


def test_a_refund_in_khaltis_dashboard_is_found_and_applied(
    bought: Purchase, payment: Payment, khalti: Khalti, account: Account
) -> None:
    """R3"""
    khalti.says(payment.pidx, "Refunded", transaction_id=f"T-{payment.pidx}", refunded=True)

    run_pass()

    assert (states_of(payment)[0], points(account)) == ("refunded", (1000, 0, 0))


def test_staff_close_the_matter_with_a_reason(bought: Purchase) -> None:
    """R3, R3e: the customer has the products, so the shop keeps the money."""
    row = flow.close_missing_order(bought, actor="1", reason="delivered before it was deleted")

    assert (row.actor, row.note, row.closed_at is not None) == ("1", "delivered before it was deleted", True)
    assert (broken(), list(missing_orders.to_close())) == ([], [])


def test_closing_twice_keeps_the_first_reason(bought: Purchase) -> None:
    """R3"""
    flow.close_missing_order(bought, actor="1", reason="delivered")
    row = flow.close_missing_order(bought, actor="2", reason="no idea")

    assert (row.actor, row.note) == ("1", "delivered")


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_is_closed_without_a_reason(bought: Purchase, reason: str) -> None:
    """R3"""
    with pytest.raises(CannotResolve, match="Enter a reason"):
        flow.close_missing_order(bought, actor="1", reason=reason)


def test_an_order_that_exists_is_not_closed(payment: Payment, khalti: Khalti) -> None:
    """R3"""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)

    with pytest.raises(CannotResolve, match="The shop has this order"):
        flow.close_missing_order(Purchase.objects.get(), actor="1", reason="gone")


def test_staff_do_not_close_the_matter_of_their_own_order(bought: Purchase) -> None:
    """R3, M5"""
    with pytest.raises(SelfDealing):
        flow.close_missing_order(bought, actor="7", reason="mine")


@pytest.mark.usefixtures("no_mails_to_customers")
def test_a_pass_notices_it_and_mails_staff_once(bought: Purchase, settings: Any) -> None:
    """R3, R3e"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALERTS_TO": ["staff@shop.example"]}

    for _ in range(2):
        LastRun.objects.filter(name="missing_orders").delete()
        call_command("khalti_reconcile")

    assert list(missing_orders.to_close()) == [bought]
    assert [message.subject for message in mail.outbox] == ["Khalti: 1 order was deleted in the shop"]
    assert "order-1" in mail.outbox[0].body


# Without Khalti


@pytest.fixture
def transfer(shop: FakeShop, account: Account) -> Purchase:
    """An order by bank transfer of a member who uses 500 of 1,000 points."""
    cart = shop.cart(member_id=account.member_id, points_redeemed=Points(500))
    return flow.place_order(shop.freeze(cart), method=PaymentMethod.BANK_TRANSFER)


def receive(purchase: Purchase, amount: int) -> flow.ReceivedResult:
    today = day_of(purchase.created_at)
    return flow.record_received(purchase, amount=Paisa(amount), received_on=today, key=f"form {amount}", actor="1")


def test_an_unpaid_order_is_cancelled_and_its_points_come_back(
    transfer: Purchase, shop: FakeShop, account: Account
) -> None:
    """R3"""
    shop.delete_order("order-1")

    flow.refund_order(transfer, **ALL_OF_IT, cancels=True)
    flow.close_missing_order(transfer, actor="1", reason="cancelled")

    assert (points(account), broken()) == ((1000, 0, 0), [])


def test_money_that_arrives_for_it_is_on_record_and_refunded(transfer: Purchase, shop: FakeShop) -> None:
    """R3, R3e: a surplus, which had no page."""
    shop.delete_order("order-1")

    result = receive(transfer, 245_000)
    with pytest.raises(CannotResolve, match="still to be returned"):
        flow.close_missing_order(transfer, actor="1", reason="gone")
    flow.refund_surplus(result.purchase, amount=Paisa(245_000), key="back", actor="1")
    flow.close_missing_order(transfer, actor="1", reason="refunded by hand")

    assert (result.obstacle, result.purchase.surplus) == ("The shop has no order order-1.", 245_000)
    assert broken() == []


def test_an_order_that_was_paid_by_transfer_is_refunded_by_hand(
    transfer: Purchase, shop: FakeShop, account: Account
) -> None:
    """R3"""
    receive(transfer, 245_000)
    shop.delete_order("order-1")

    refund = flow.refund_order(Purchase.objects.get(), **ALL_OF_IT)
    flow.close_missing_order(transfer, actor="1", reason="refunded by hand")

    assert (refund.state, refund.amount, points(account)) == ("done", 245_000, (1000, 0, 0))
    assert broken() == []


def test_an_order_of_points_alone_gives_them_back(shop: FakeShop, account: Account) -> None:
    """R3"""
    cart = shop.cart(member_id=account.member_id, subtotal=10_000, points_redeemed=Points(1000))
    purchase = flow.place_order(shop.freeze(cart), method=PaymentMethod.POINTS)
    shop.delete_order("order-1")

    flow.refund_order(purchase, **{**ALL_OF_IT, "subtotal": Paisa(10_000)})
    flow.close_missing_order(purchase, actor="1", reason="returned")

    assert (points(account), broken()) == ((1000, 0, 0), [])
