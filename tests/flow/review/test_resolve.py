"""Staff resolve Flags: with a reason, by name, once."""

from typing import Any

import pytest
import requests
from django.db import transaction
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, CannotResolve, InsideTransaction
from loyalink_khalti.flow import Resolution, audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.loyalty.conftest import check_ledger
from tests.purchases import Khalti, at_once, points, states_of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

STAFF = "31"


def flag_of(payment: Payment) -> Flag:
    return Flag.objects.select_related("payment__purchase").get(payment=payment, resolved_at=None)


def resolve(flag: Flag, resolution: str, reason: str = "seen in Khalti's dashboard", **more: Any) -> Flag:
    return flow.resolve_flag(flag, Resolution(resolution), actor=STAFF, reason=reason, **more)


def open_flags() -> list[str]:
    return sorted(Flag.objects.filter(resolved_at=None).values_list("reason", flat=True))


def agrees() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    check_ledger()
    return True


@pytest.fixture
def late(payment: Payment, khalti: Khalti) -> Payment:
    """Cancelled by staff after Khalti reported "not paid", and paid later: 500 points were restored."""
    flow.cancel_payment(payment, customer_present=False)
    khalti.pay(payment.pidx)
    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.FLAGGED
    return payment


@pytest.fixture
def mismatched(payment: Payment, khalti: Khalti) -> Payment:
    """Khalti captured Rs 1 less than was due."""
    khalti.pay(payment.pidx, total_amount=244_900)
    flow.verify_payment(payment)
    return payment


@pytest.fixture
def twice(payment: Payment, khalti: Khalti, shop: FakeShop, settings: Any) -> Payment:
    """The second payment of a basket that was bought under another purchase too."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_MEMBER": 5}
    other = flow.begin_payment(shop.freeze(shop.cart("order-2", member_id="7")))
    type(other.purchase).objects.update(origin="one basket")
    for each in (payment, other):
        khalti.pay(each.pidx)
        flow.verify_payment(each)
    return other


def test_staff_place_the_order_of_a_late_payment_and_missing_points_are_owed(
    late: Payment, shop: FakeShop, account: Account, khalti: Khalti
) -> None:
    """E02, D-20: another order has used 800 of the 1,000 points meanwhile."""
    other = flow.begin_payment(shop.freeze(shop.cart("order-2", member_id="7", points_redeemed=Points(800))))
    khalti.pay(other.pidx)
    flow.verify_payment(other)
    before = points(account)[0]

    resolved = resolve(flag_of(late), "place_order")

    account.refresh_from_db()
    assert (before, account.available, account.owed) == (200 + 242, 187, 0)  # 442 - 500, and 245 earned
    assert states_of(late) == ("fulfilled", "placed")
    assert (resolved.reason, resolved.resolution, resolved.actor) == ("paid_after_cancel", "place_order", STAFF)
    assert (open_flags(), sorted(shop.confirmed)) == ([], [("order-1", 245_000), ("order-2", 242_000)])
    assert agrees()


def test_a_late_payment_is_refunded_in_full_and_no_points_move(
    late: Payment, khalti: Khalti, account: Account, shop: FakeShop
) -> None:
    """E02"""
    resolved = resolve(flag_of(late), "refund")

    refund = Refund.objects.get()
    assert (refund.kind, refund.state, refund.amount, refund.actor) == ("payment", "done", 245_000, STAFF)
    assert khalti.refunded == [(f"T-{late.pidx}", {})]
    assert (states_of(late), points(account), shop.refunded) == (("refunded", "released"), (1000, 0, 0), [])
    assert (resolved.resolution, resolved.actor, resolved.note) == ("refunded", STAFF, "seen in Khalti's dashboard")
    assert agrees()


def test_twenty_clicks_refund_a_payment_once(late: Payment, khalti: Khalti) -> None:
    """F01"""
    answers = at_once(20, lambda _: flow.refund_payment(late, actor=STAFF))

    assert len(khalti.refunded) == 1
    assert all(isinstance(answer, Refund) for answer in answers)
    assert (Refund.objects.count(), states_of(late)[0], open_flags()) == (1, "refunded", [])


def test_of_two_people_who_resolve_a_flag_the_second_gets_an_error(late: Payment, shop: FakeShop) -> None:
    flag = flag_of(late)

    answers = at_once(2, lambda _: resolve(flag, "place_order"))

    assert sorted(type(answer).__name__ for answer in answers) == ["CannotResolve", "Flag"]
    assert any("already resolved" in str(answer) for answer in answers)
    assert shop.confirmed == [("order-1", 245_000)]


def test_an_accepted_mismatch_becomes_an_order_and_the_audit_agrees(
    mismatched: Payment, shop: FakeShop, account: Account
) -> None:
    """D03, I2: or staff accepted it by name."""
    options = flow.resolution_options(flag_of(mismatched))

    resolved = resolve(flag_of(mismatched), "accept", "one rupee is not worth a dispute")

    mismatched.refresh_from_db()
    assert options == (Resolution.ACCEPT, Resolution.REFUND)
    assert (states_of(mismatched), mismatched.captured) == (("fulfilled", "placed"), 244_900)
    assert (shop.confirmed, points(account)[0]) == ([("order-1", 245_000)], 745)
    assert (resolved.reason, resolved.resolution, open_flags()) == ("amount_mismatch", "accept", [])
    assert agrees()


def test_a_mismatch_is_refunded_by_the_captured_amount_and_its_stock_is_released(
    mismatched: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    resolve(flag_of(mismatched), "refund")

    assert Refund.objects.get().amount == 244_900
    assert (states_of(mismatched), points(account)) == (("refunded", "released"), (1000, 0, 0))
    assert (shop.released, shop.left("pen")) == ([("order-1", "refunded")], 3)
    assert agrees()


def test_a_mismatch_without_a_transaction_id_cannot_be_refunded_here_and_says_so(
    payment: Payment, khalti: Khalti
) -> None:
    """A16"""
    khalti.pay(payment.pidx, transaction_id=None)
    flow.verify_payment(payment)

    flag = resolve(flag_of(payment), "refund")

    refund = Refund.objects.get()
    assert (refund.state, khalti.refunded, flag.resolved_at) == ("refused", [], None)
    assert "Khalti's dashboard" in refund.khalti_message


def test_an_accepted_payment_that_the_shop_failed_to_confirm_is_placed_once_it_can(
    mismatched: Payment, shop: FakeShop, khalti: Khalti
) -> None:
    """The amount stays accepted; the failure of the shop is another flag."""
    shop.fail("confirm", RuntimeError("a bug in the shop"))

    resolve(flag_of(mismatched), "accept")
    between = states_of(mismatched), open_flags()
    resolve(flag_of(mismatched), "place_order")

    assert between == (("paid", "open"), ["host_failed"])
    assert states_of(mismatched) == ("fulfilled", "placed")
    assert agrees()


def test_a_second_payment_is_refunded_and_the_order_stays(
    twice: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A08"""
    options = flow.resolution_options(flag_of(twice))

    resolve(flag_of(twice), "refund")

    assert Resolution.REFUND in options
    assert khalti.refunded == [(f"T-{twice.pidx}", {})]
    assert (states_of(twice), shop.confirmed) == (("refunded", "released"), [("order-1", 245_000)])
    assert points(account)[0] == 745
    assert agrees()


def test_both_of_two_payments_become_orders_if_staff_say_so(twice: Payment, shop: FakeShop) -> None:
    resolve(flag_of(twice), "place_order", "they want two")

    assert [ref for ref, _ in shop.confirmed] == ["order-1", "order-2"]
    assert agrees()


def test_a_refund_that_khalti_refuses_leaves_the_flag_open(late: Payment, khalti: Khalti) -> None:
    khalti.next_refund = [(400, {}, '{"detail": "Insufficient balance."}')]

    flag = resolve(flag_of(late), "refund")
    again = resolve(flag, "refund")

    assert flag.resolved_at is None
    assert [refund.state for refund in Refund.objects.order_by("pk")] == ["refused", "done"]
    assert again.resolution == "refunded"


def test_a_payment_that_is_being_refunded_cannot_become_an_order(
    late: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """I3: exactly one of them."""
    khalti.next_refund = [requests.ReadTimeout("silence")]
    resolve(Flag.objects.get(reason="paid_after_cancel"), "refund")

    with pytest.raises(CannotResolve, match="being refunded"):
        resolve(Flag.objects.get(reason="paid_after_cancel"), "place_order")
    for _result in flow.reconcile():
        pass

    assert (Refund.objects.get().state, states_of(late), shop.confirmed) == ("unknown", ("paid", "released"), [])
    khalti.says(late.pidx, "Refunded", refunded=True, transaction_id=f"T-{late.pidx}")
    for _result in flow.reconcile():
        pass
    assert (Refund.objects.get().state, states_of(late)[0], open_flags()) == ("done", "refunded", [])
    assert agrees()


def test_a_payment_that_khalti_does_not_find_is_released_by_staff_and_its_member_can_buy_again(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """C12: never automatically; if it is paid after all, staff decide."""
    khalti.next_lookup = [(404, {}, '{"detail": "Not found."}')] * 3
    for _ in range(3):
        flow.verify_payment(payment, ignore_back_off=True)

    Payment.objects.update(expires_at=timezone.now())
    khalti.next_lookup = [(404, {}, '{"detail": "Not found."}')]
    resolve(flag_of(payment), "record_unpaid", "Khalti's support does not find it either")

    assert (states_of(payment), points(account)) == (("released", "released"), (1000, 0, 0))
    assert flow.begin_payment(shop.freeze(shop.cart("order-2", member_id="7"))).state == "initiated"
    khalti.pay(payment.pidx)
    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.FLAGGED
    assert open_flags() == ["paid_after_cancel"]


def test_a_sold_out_order_is_tried_ten_times_and_then_left_to_staff(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """E03: placing the order resolves the flag, automatically or by staff."""
    khalti.says(payment.pidx, "Expired")
    flow.verify_payment(payment)
    shop.stock(pen=0)
    khalti.pay(payment.pidx)
    for _ in range(12):
        flow.verify_payment(payment, ignore_back_off=True)
    shop.stock(pen=1)
    flow.verify_payment(payment, ignore_back_off=True)
    payment.refresh_from_db()
    tried = payment.confirm_attempts, states_of(payment)

    resolve(flag_of(payment), "place_order", "a box was found")

    assert tried == (10, ("paid", "released"))
    assert (states_of(payment), open_flags(), shop.left("pen")) == (("fulfilled", "placed"), [], 0)
    assert agrees()


def test_staff_cannot_place_a_sold_out_order_either(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    khalti.says(payment.pidx, "Expired")
    flow.verify_payment(payment)
    shop.stock(pen=0)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)

    with pytest.raises(CannotResolve, match="sold out"):
        resolve(flag_of(payment), "place_order")

    assert (states_of(payment), open_flags()) == (("paid", "released"), ["sold_out"])


def test_a_restock_resolves_the_flag_automatically(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    khalti.says(payment.pidx, "Expired")
    flow.verify_payment(payment)
    shop.stock(pen=0)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)
    shop.stock(pen=1)

    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.PAID

    flag = Flag.objects.get()
    assert (flag.resolution, flag.actor) == ("fulfilled", None)


def test_a_shop_that_fails_gives_an_error_and_nothing_is_changed(late: Payment, shop: FakeShop) -> None:
    shop.fail("confirm", RuntimeError("a bug in the shop, about Sita"))

    with pytest.raises(CannotResolve, match="RuntimeError") as caught:
        resolve(flag_of(late), "place_order")

    assert "Sita" not in str(caught.value)
    assert (states_of(late), open_flags()) == (("paid", "released"), ["paid_after_cancel"])


@pytest.mark.parametrize("resolution", ["accept", "release", "confirm_refund", "reject_refund", "record_refund"])
def test_a_resolution_that_does_not_fit_the_payment_is_refused(late: Payment, resolution: str) -> None:
    with pytest.raises(CannotResolve):
        resolve(flag_of(late), resolution)

    assert open_flags() == ["paid_after_cancel"]


@pytest.mark.parametrize("reason", ["", "   "])
def test_nothing_is_resolved_without_a_reason(late: Payment, reason: str) -> None:
    with pytest.raises(CannotResolve, match="Enter a reason"):
        resolve(flag_of(late), "place_order", reason)

    assert states_of(late) == ("paid", "released")


def test_the_flag_of_money_that_holds_stock_cannot_be_closed(mismatched: Payment) -> None:
    with pytest.raises(CannotResolve):
        resolve(flag_of(mismatched), "close", "no idea")


def test_a_closed_flag_is_not_raised_again_for_the_same_evidence(payment: Payment, khalti: Khalti) -> None:
    khalti.says(payment.pidx, "Under review")
    flow.verify_payment(payment, ignore_back_off=True)
    resolve(flag_of(payment), "close", "Khalti says that it is nothing")

    flow.verify_payment(payment, ignore_back_off=True)
    quiet = open_flags()
    khalti.says(payment.pidx, "Reversed")
    flow.verify_payment(payment, ignore_back_off=True)

    assert (quiet, open_flags()) == ([], ["unknown_status"])


def test_a_payment_with_an_order_is_refunded_by_its_order(payment: Payment, khalti: Khalti) -> None:
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)

    with pytest.raises(CannotRefund, match="it paid for an order"):
        flow.refund_payment(payment, actor=STAFF)

    assert khalti.refunded == []


def test_it_refuses_to_run_inside_a_transaction(late: Payment) -> None:
    with transaction.atomic(), pytest.raises(InsideTransaction):
        resolve(flag_of(late), "place_order")
