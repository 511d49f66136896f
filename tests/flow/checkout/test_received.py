"""Cash and bank transfers: in parts, too much, too late, wrong, twice, by two people at once."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRecord, CannotRefund, InsideTransaction, LoyalinkError, ShopCannot
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.received import ReceivedMoney, newest_pk
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once, points

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

DUE = 245_000
"""paisa: Rs 2,500 less Rs 50 by 500 points."""


@pytest.fixture
def purchase(shop: FakeShop, account: Account) -> Purchase:
    """An order to be paid by bank transfer, of the only pen in stock, by a member who uses 500 of 1,000 points."""
    shop.stock(pen=1)
    cart = shop.cart(member_id=account.member_id, points_redeemed=Points(500))
    return flow.place_order(shop.freeze(cart), method=PaymentMethod.BANK_TRANSFER)


def receive(purchase: Purchase, amount: int, key: str = "", **changes: Any) -> flow.ReceivedResult:
    details = {"received_on": day_of(timezone.now()), "reference": "NIC-1", "actor": "1", **changes}
    return flow.record_received(
        purchase, amount=Paisa(amount), key=key or f"form {ReceivedMoney.objects.count()}", **details
    )


def cancel(purchase: Purchase, key: str = "cancel") -> Refund:
    return flow.refund_order(
        purchase, subtotal=Paisa(250_000), shipping=Paisa(0), lines=[("pen", 1)], key=key, actor="1"
    )


def money_of(purchase: Purchase) -> tuple[int, int]:
    """What counts for the order, and the surplus."""
    purchase.refresh_from_db()
    return purchase.received, purchase.surplus


def is_sound() -> bool:
    return [violation for violation in flow.audit_violations() if violation.subject != "fake"] == []


# Parts


def test_parts_accumulate_and_the_last_one_pays_the_order_and_awards_its_points_once(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    """M25."""
    seen = []
    for part in (100_000, 45_000, 100_000):
        receive(purchase, part)
        seen.append((*money_of(purchase), purchase.received_at is not None, points(account)[0]))

    assert seen == [(100_000, 0, False, 500), (145_000, 0, False, 500), (245_000, 0, True, 745)]
    assert shop.received == [("order-1", 100_000), ("order-1", 145_000), ("order-1", 245_000)]
    assert shop.get_order("order-1").paid == DUE
    assert is_sound()


def test_each_part_keeps_its_day_its_reference_and_who_recorded_it(purchase: Purchase) -> None:
    yesterday = day_of(timezone.now()) - timedelta(days=1)

    receive(purchase, 100_000, received_on=yesterday, reference="NIC-7", actor="5")

    row = ReceivedMoney.objects.get()
    assert (row.amount, row.received_on, row.reference, row.actor) == (100_000, yesterday, "NIC-7", "5")


def test_what_exceeds_the_amount_due_is_a_surplus_and_earns_nothing(account: Account, purchase: Purchase) -> None:
    """M25c"""
    receive(purchase, 100_000)
    receive(purchase, 200_000)

    assert money_of(purchase) == (DUE, 55_000)
    assert points(account)[0] == 745
    assert is_sound()


def test_money_for_an_order_that_is_paid_already_is_a_surplus(account: Account, purchase: Purchase) -> None:
    flow.mark_received(purchase, actor="1")
    receive(purchase, 10_000)

    assert money_of(purchase) == (DUE, 10_000)
    assert points(account)[0] == 745


def test_marking_the_rest_as_received_records_what_is_left(account: Account, purchase: Purchase) -> None:
    receive(purchase, 100_000)
    flow.mark_received(purchase, actor="1")
    flow.mark_received(purchase, actor="1")

    assert list(ReceivedMoney.objects.order_by("pk").values_list("amount", flat=True)) == [100_000, 145_000]
    assert (money_of(purchase), points(account)[0]) == ((DUE, 0), 745)


@pytest.mark.parametrize(
    "retry",
    [
        lambda purchase: flow.apply_received(purchase, actor="1"),
        lambda purchase: flow.mark_received(purchase, actor="1"),
    ],
    ids=["apply", "mark"],
)
def test_if_the_shop_cannot_record_the_money_it_is_a_surplus_until_it_can(
    shop: FakeShop, account: Account, purchase: Purchase, retry: Any
) -> None:
    """M25f: The order was deleted meanwhile, for example."""
    shop.fail("record_received", LookupError("no such order"))

    failed = receive(purchase, DUE)

    assert failed.obstacle
    assert (money_of(purchase), points(account)[0]) == ((0, DUE), 500)
    applied = retry(purchase)
    assert (applied.obstacle, money_of(purchase), points(account)[0]) == ("", (DUE, 0), 745)
    assert is_sound()


# Twice, or at once


def test_a_form_that_is_sent_ten_times_at_once_is_one_row(account: Account, purchase: Purchase) -> None:
    """M25e"""
    results = at_once(10, lambda _index: receive(purchase, DUE, key="form"))

    assert ReceivedMoney.objects.count() == 1
    assert [result.is_new for result in results if isinstance(result, flow.ReceivedResult)].count(True) == 1
    assert (money_of(purchase), points(account)[0]) == ((DUE, 0), 745)


def test_a_form_that_is_sent_again_with_other_figures_is_refused(purchase: Purchase) -> None:
    receive(purchase, 100_000, key="form")

    for changes in ({"amount": 100_001}, {"reference": "other"}):
        with pytest.raises(CannotRecord):
            receive(purchase, **{"amount": 100_000, "key": "form", **changes})

    assert ReceivedMoney.objects.count() == 1


def test_of_two_people_who_record_the_same_transfer_the_second_sees_the_first(purchase: Purchase) -> None:
    """M25e"""
    seen = newest_pk(purchase)

    results = at_once(2, lambda index: receive(purchase, DUE, key=f"form of {index}", seen=seen))

    assert sorted(type(result) for result in results if isinstance(result, Exception)) == [CannotRecord]
    assert money_of(purchase) == (DUE, 0)


def test_different_parts_at_once_all_count(account: Account, purchase: Purchase) -> None:
    """M25"""
    at_once(5, lambda index: receive(purchase, 49_000, key=f"part {index}"))

    assert (money_of(purchase), points(account)[0], ReceivedMoney.objects.count()) == ((DUE, 0), 745, 5)
    assert is_sound()


# Bad input


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_that_is_not_above_zero_is_refused(purchase: Purchase, amount: int) -> None:
    with pytest.raises(CannotRecord):
        receive(purchase, amount)

    assert not ReceivedMoney.objects.exists()


def test_a_day_in_the_future_is_refused(purchase: Purchase) -> None:
    with pytest.raises(CannotRecord):
        receive(purchase, 100, received_on=day_of(timezone.now()) + timedelta(days=1))

    assert not ReceivedMoney.objects.exists()


def test_nothing_is_received_for_a_purchase_that_khalti_or_points_pay(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    cart = shop.cart("order-2", subtotal=10_000, member_id=account.member_id, points_redeemed=Points(1000))
    by_points = flow.place_order(shop.freeze(cart), method=PaymentMethod.POINTS)

    for purchase in (payment.purchase, by_points):
        with pytest.raises(CannotRecord, match="is not awaiting"):
            receive(purchase, 1_000)


def test_every_verb_commits_by_itself(purchase: Purchase) -> None:
    entry = receive(purchase, 300_000).entry
    assert entry is not None
    verbs: list[Any] = [
        lambda: receive(purchase, 100),
        lambda: flow.apply_received(purchase, actor="1"),
        lambda: flow.reverse_received(entry, reason="wrong order", key="r", actor="1"),
        lambda: flow.refund_surplus(purchase, amount=Paisa(1), key="s", actor="1"),
    ]

    for verb in verbs:
        with pytest.raises(InsideTransaction), transaction.atomic():
            verb()


# After a cancellation


def test_a_transfer_that_arrives_after_the_cancellation_places_the_order_again(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    """M25, M25a."""
    cancel(purchase)
    assert (points(account)[0], shop.left("pen")) == (1000, 1)

    result = receive(purchase, DUE)

    assert (result.is_placed_again, result.obstacle) == (True, "")
    assert (money_of(purchase), points(account), shop.left("pen")) == ((DUE, 0), (745, 0, 500), 0)
    order = shop.get_order("order-1")
    assert (order.paid, order.refunded) == (DUE, 0)
    assert is_sound()


def test_it_is_placed_again_once_the_last_part_has_arrived(shop: FakeShop, purchase: Purchase) -> None:
    """M25a"""
    cancel(purchase)
    receive(purchase, 100_000)
    assert money_of(purchase) == (0, 100_000)

    assert receive(purchase, 145_000).is_placed_again

    assert (money_of(purchase), shop.left("pen")) == ((DUE, 0), 0)


def test_an_order_that_was_placed_again_can_be_refunded_like_any_other(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    """M25a"""
    cancel(purchase)
    receive(purchase, DUE)

    refund = cancel(purchase, key="refund")

    assert (refund.amount, refund.points_restored, refund.points_clawed_back) == (DUE, 500, 245)
    assert (points(account)[0], shop.left("pen"), shop.get_order("order-1").refunded) == (1000, 1, DUE)
    assert is_sound()


def test_if_the_stock_is_gone_the_money_is_on_record_as_a_surplus(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    """M25, M25b."""
    cancel(purchase)
    shop.stock(pen=0)

    result = receive(purchase, DUE)

    assert (result.is_placed_again, bool(result.obstacle)) == (False, True)
    assert (money_of(purchase), points(account)[0]) == ((0, DUE), 1000)
    assert is_sound()


def test_once_there_is_stock_again_staff_can_place_the_order_after_all(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    """M25b"""
    cancel(purchase)
    shop.stock(pen=0)
    receive(purchase, DUE)
    shop.stock(pen=1)

    assert flow.apply_received(purchase, actor="1").is_placed_again
    assert not flow.apply_received(purchase, actor="1").is_placed_again

    assert (money_of(purchase), points(account)[0], shop.left("pen")) == ((DUE, 0), 745, 0)


def test_if_the_points_that_it_used_are_gone_it_is_not_placed_again(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    """M25b"""
    cancel(purchase)
    ledger.adjust(site_key="default", member_id="7", points=-900, key="gone", reason="correction")

    result = receive(purchase, DUE)

    assert bool(result.obstacle)
    assert (money_of(purchase), points(account)[0], shop.left("pen")) == ((0, DUE), 100, 1)
    assert is_sound()


def test_received_and_cancelled_at_once_ends_as_one_order_with_its_money(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    """M25e"""
    at_once(6, lambda index: receive(purchase, DUE, key="form") if index % 2 else cancel(purchase))

    assert is_sound()
    received, surplus = money_of(purchase)
    assert received + surplus == DUE
    refunded = Refund.objects.filter(undone_at=None).first()
    if refunded is None:  # cancelled first, if at all, and then placed again
        assert (received, shop.left("pen"), points(account)[0]) == (DUE, 0, 745)
    else:  # received first: what followed is a refund of all of it
        assert (refunded.amount, received, shop.left("pen"), points(account)[0]) == (DUE, DUE, 1, 1000)


def test_cancelling_an_order_of_which_a_part_was_received_returns_that_part(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    receive(purchase, 100_000)

    refund = cancel(purchase)

    assert (refund.amount, shop.get_order("order-1").refunded) == (100_000, 100_000)
    receive(purchase, 145_000)
    assert money_of(purchase) == (100_000, 145_000)  # the first part was returned: this is not all that is due
    assert receive(purchase, 100_000).is_placed_again
    assert (money_of(purchase), points(account)[0]) == ((DUE, 0), 745)
    assert is_sound()


# A surplus is refunded by hand


def test_a_surplus_is_refunded_by_hand_once_and_the_order_stays(shop: FakeShop, purchase: Purchase) -> None:
    receive(purchase, 300_000)

    made = at_once(5, lambda _index: flow.refund_surplus(purchase, amount=Paisa(55_000), key="back", actor="1"))

    assert [refund.is_repeated for refund in made if isinstance(refund, Refund)].count(False) == 1
    refund = Refund.objects.get()
    assert (refund.kind, refund.amount, refund.state, refund.payment) == ("received", 55_000, "done", None)
    assert (money_of(purchase), shop.get_order("order-1").refunded) == ((DUE, 0), 0)
    assert flow.quote_refund(purchase, subtotal=Paisa(250_000), shipping=Paisa(0)).amount == DUE
    assert is_sound()


@pytest.mark.parametrize("amount", [0, -1, 55_001])
def test_no_more_than_the_surplus_is_refunded(purchase: Purchase, amount: int) -> None:
    """M25c"""
    receive(purchase, 300_000)

    with pytest.raises(CannotRefund):
        flow.refund_surplus(purchase, amount=Paisa(amount), key="back", actor="1")

    assert (money_of(purchase), Refund.objects.count()) == ((DUE, 55_000), 0)


def test_after_a_surplus_was_refunded_an_order_is_not_placed_again_with_that_money(
    shop: FakeShop, purchase: Purchase
) -> None:
    cancel(purchase)
    shop.stock(pen=0)
    receive(purchase, DUE)
    flow.refund_surplus(purchase, amount=Paisa(DUE), key="back", actor="1")
    shop.stock(pen=1)

    assert not flow.apply_received(purchase, actor="1").is_placed_again

    assert (money_of(purchase), shop.left("pen")) == ((0, 0), 1)
    assert is_sound()


# Corrections


def test_a_wrong_entry_is_reversed_and_the_order_awaits_its_money_and_its_points_again(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    """M25d"""
    entry = receive(purchase, DUE).entry
    assert entry is not None

    for _click in range(2):
        flow.reverse_received(entry, reason="It was for another order.", key="wrong", actor="2")

    assert list(ReceivedMoney.objects.order_by("pk").values_list("amount", flat=True)) == [DUE, -DUE]
    assert (money_of(purchase), purchase.received_at, purchase.earned) == ((0, 0), None, 0)
    assert (points(account), shop.get_order("order-1").paid) == ((500, 0, 500), 0)
    assert is_sound()


def test_an_order_that_is_paid_again_after_a_correction_earns_the_same_points_again(
    account: Account, purchase: Purchase
) -> None:
    """M25d"""
    for count in range(3):
        entry = receive(purchase, DUE).entry
        assert entry is not None
        assert points(account)[0] == 745
        if count < 2:
            flow.reverse_received(entry, reason="wrong", key=f"wrong {count}", actor="2")
            assert points(account)[0] == 500
    assert is_sound()
    refund = cancel(purchase, key="refund")

    assert (refund.points_clawed_back, points(account)[0]) == (245, 1000)
    assert OrderAward.objects.filter(purchase=purchase.key).count() == 1
    assert is_sound()


def test_points_that_are_still_pending_are_reversed_and_awarded_again(shop: FakeShop, account: Account) -> None:
    """M25d"""
    ledger.set_rules("default", replace(ledger.current_version("default").rules, pending_days=14))
    purchase = flow.place_order(shop.freeze(shop.cart(member_id=account.member_id)), method=PaymentMethod.COD)
    seen = []
    for count in range(2):
        entry = receive(purchase, 250_000).entry
        assert entry is not None
        account.refresh_from_db()
        seen.append(account.pending)
        if not count:
            flow.reverse_received(entry, reason="wrong", key="wrong", actor="2")
            account.refresh_from_db()
            seen.append(account.pending)

    refund = flow.refund_order(purchase, subtotal=Paisa(125_000), shipping=Paisa(0), key="half", actor="1")

    account.refresh_from_db()
    assert (seen, refund.points_clawed_back, account.pending, account.owed) == ([250, 0, 250], 125, 125, 0)
    assert is_sound()


def test_points_that_were_used_meanwhile_are_owed_after_a_correction(account: Account, purchase: Purchase) -> None:
    entry = receive(purchase, DUE).entry
    assert entry is not None
    ledger.adjust(site_key="default", member_id="7", points=-700, key="used", reason="correction")

    flow.reverse_received(entry, reason="wrong", key="wrong", actor="2")

    account.refresh_from_db()
    assert (account.available, account.owed) == (0, 200)
    assert is_sound()


def test_a_correction_lowers_a_surplus_first(account: Account, purchase: Purchase) -> None:
    receive(purchase, DUE)
    entry = receive(purchase, 10_000).entry
    assert entry is not None

    flow.reverse_received(entry, reason="typed twice", key="wrong", actor="2")

    assert (money_of(purchase), points(account)[0]) == ((DUE, 0), 745)


def test_money_that_was_refunded_cannot_be_corrected_away(purchase: Purchase) -> None:
    """M25d"""
    entry = receive(purchase, 300_000).entry
    assert entry is not None
    flow.refund_order(purchase, subtotal=Paisa(10_000), shipping=Paisa(0), key="part", actor="1")

    with pytest.raises(CannotRecord):
        flow.reverse_received(entry, reason="wrong", key="wrong", actor="2")

    assert (money_of(purchase), ReceivedMoney.objects.count()) == ((DUE, 55_000), 1)


def test_a_surplus_that_was_refunded_cannot_be_corrected_away(purchase: Purchase) -> None:
    receive(purchase, DUE)
    entry = receive(purchase, 10_000).entry
    assert entry is not None
    flow.refund_surplus(purchase, amount=Paisa(10_000), key="back", actor="1")
    cancel(purchase, key="refund")

    with pytest.raises(CannotRecord):
        flow.reverse_received(entry, reason="wrong", key="wrong", actor="2")

    assert ReceivedMoney.objects.count() == 2


def test_a_correction_needs_a_reason_and_is_not_corrected_itself(purchase: Purchase) -> None:
    entry = receive(purchase, 100_000).entry
    assert entry is not None
    with pytest.raises(CannotRecord):
        flow.reverse_received(entry, reason="  ", key="wrong", actor="2")
    reversing = flow.reverse_received(entry, reason="wrong", key="wrong", actor="2").entry
    assert reversing is not None

    with pytest.raises(CannotRecord):
        flow.reverse_received(reversing, reason="wrong again", key="wrong 2", actor="2")


def test_if_the_shop_cannot_correct_the_order_nothing_is_corrected(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    entry = receive(purchase, DUE).entry
    assert entry is not None
    shop.fail("record_received", ShopCannot("host_failed", "it is closed"))

    with pytest.raises(CannotRecord, match="it is closed"):
        flow.reverse_received(entry, reason="wrong", key="wrong", actor="2")

    assert (money_of(purchase), points(account)[0], ReceivedMoney.objects.count()) == ((DUE, 0), 745, 1)


# The rows


def test_rows_are_never_changed_or_deleted(purchase: Purchase) -> None:
    entry = receive(purchase, 100_000).entry
    assert entry is not None
    entry.amount = 1
    rows = ReceivedMoney.objects.all()

    for change in (
        entry.save,
        entry.delete,
        rows.delete,
        lambda: rows.update(amount=1),
        lambda: rows.bulk_update([entry], ["amount"]),
    ):
        with pytest.raises(LoyalinkError, match="never"):
            change()

    assert ReceivedMoney.objects.get().amount == 100_000


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE loyalink_khalti_receivedmoney SET amount = 1",
        "UPDATE loyalink_khalti_receivedmoney SET received_on = '2020-01-01'",
        "DELETE FROM loyalink_khalti_receivedmoney",
    ],
)
def test_sql_cannot_change_a_row_either(purchase: Purchase, statement: str) -> None:
    """M25d"""
    receive(purchase, 100_000)

    with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert ReceivedMoney.objects.get().amount == 100_000


def test_texts_can_be_erased(purchase: Purchase) -> None:
    entry = receive(purchase, 100_000, reference="from Sita Sharma").entry
    assert entry is not None
    flow.reverse_received(entry, reason="Sita Sharma called", key="wrong", actor="2")

    assert ReceivedMoney.objects.all().erase_texts() == 2

    assert set(ReceivedMoney.objects.values_list("reference", "reason")) == {("", "")}


def test_money_that_the_version_before_has_marked_has_its_row_at_the_next_step(purchase: Purchase) -> None:
    """M25g: A worker of the version before this table may mark an order as paid after the migration."""
    at = timezone.now()
    Purchase.objects.filter(pk=purchase.pk).update(received_at=at, received_by="3")

    receive(purchase, 1_000)

    assert list(ReceivedMoney.objects.order_by("pk").values_list("amount", "actor")) == [(DUE, "3"), (1_000, "1")]
    assert money_of(purchase) == (DUE, 1_000)


def test_the_day_is_that_of_nepal(purchase: Purchase) -> None:
    assert receive(purchase, 1, received_on=date(2026, 1, 1)).is_new


def test_the_audit_finds_money_that_is_counted_nowhere(purchase: Purchase) -> None:
    """I19"""
    receive(purchase, 300_000)
    assert is_sound()

    Purchase.objects.filter(pk=purchase.pk).update(surplus=0)

    assert [(found.invariant, found.subject) for found in flow.audit_violations()] == [("I19", "fake:order-1")]
