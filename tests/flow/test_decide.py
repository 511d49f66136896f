"""What staff decide where nothing decides by itself: with a reason, by name, once."""

from typing import Any

import pytest
import requests
from django.db import transaction

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotDecide, CannotRefund, InsideTransaction
from loyalink_khalti.flow import Decision
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.loyalty.conftest import sound
from tests.purchases import Khalti, at_once, points, stands

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

STAFF = "31"


def flag_of(payment: Payment) -> Flag:
    return Flag.objects.select_related("payment__purchase").get(payment=payment, resolved_at=None)


def decide(flag: Flag, decision: str, reason: str = "seen in Khalti's dashboard", **more: Any) -> Flag:
    return flow.decide(flag, Decision(decision), by=STAFF, reason=reason, **more)


def open_flags() -> list[str]:
    return sorted(Flag.objects.filter(resolved_at=None).values_list("reason", flat=True))


def agrees() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    sound()
    return True


@pytest.fixture
def late(payment: Payment, khalti: Khalti) -> Payment:
    """Given up by its shopper, after Khalti had said "not paid", and paid all the same: 500 points came back."""
    flow.start_again(payment)
    khalti.pay(payment.pidx)
    assert flow.finish(payment, insist=True) is Outcome.FLAGGED
    return payment


@pytest.fixture
def mismatched(payment: Payment, khalti: Khalti) -> Payment:
    """Khalti took Rs 1 less than it was asked for."""
    khalti.pay(payment.pidx, total_amount=244_900)
    flow.finish(payment)
    return payment


@pytest.fixture
def twice(payment: Payment, khalti: Khalti, shop: FakeShop, settings: Any) -> Payment:
    """The second payment of a basket that was bought under another purchase too."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_MEMBER": 5}
    other = flow.begin(shop.freeze(shop.cart("order-2", member_id="7")))
    type(other.purchase).objects.update(origin="one basket")
    for each in (payment, other):
        khalti.pay(each.pidx)
        flow.finish(each)
    return other


def test_staff_grant_the_goods_of_a_late_payment_and_points_that_are_gone_are_owed(
    late: Payment, shop: FakeShop, account: Account, khalti: Khalti
) -> None:
    """E02, D-20: another order has spent 800 of the 1,000 points meanwhile."""
    other = flow.begin(shop.freeze(shop.cart("order-2", member_id="7", spends=Points(800))))
    khalti.pay(other.pidx)
    flow.finish(other)
    before = points(account)[0]

    decided = decide(flag_of(late), "fulfil")

    account.refresh_from_db()
    assert (before, account.available, account.owed) == (200 + 242, 187, 0)  # 442 - 500, and 245 earned
    assert stands(late) == ("fulfilled", "placed")
    assert (decided.reason, decided.resolution, decided.actor) == ("paid_after_cancel", "fulfil", STAFF)
    assert (open_flags(), sorted(shop.confirmed)) == ([], [("order-1", 245_000), ("order-2", 242_000)])
    assert agrees()


def test_a_late_payment_is_given_back_whole_and_no_points_move(
    late: Payment, khalti: Khalti, account: Account, shop: FakeShop
) -> None:
    """E02"""
    decided = decide(flag_of(late), "refund")

    refund = Refund.objects.get()
    assert (refund.kind, refund.state, refund.cash, refund.actor) == ("payment", "done", 245_000, STAFF)
    assert khalti.refunded == [(f"T-{late.pidx}", {})]
    assert (stands(late), points(account), shop.reversed) == (("refunded", "released"), (1000, 0, 0), [])
    assert (decided.resolution, decided.actor, decided.note) == ("refunded", STAFF, "seen in Khalti's dashboard")
    assert agrees()


def test_twenty_clicks_give_a_payment_back_once(late: Payment, khalti: Khalti) -> None:
    """F01"""
    answers = at_once(20, lambda _: flow.give_back(late, by=STAFF))

    assert len(khalti.refunded) == 1
    assert all(isinstance(answer, Refund) for answer in answers)
    assert (Refund.objects.count(), stands(late)[0], open_flags()) == (1, "refunded", [])


def test_of_two_people_one_is_told_that_the_other_was_quicker(late: Payment, shop: FakeShop) -> None:
    flag = flag_of(late)

    answers = at_once(2, lambda _: decide(flag, "fulfil"))

    assert sorted(type(answer).__name__ for answer in answers) == ["CannotDecide", "Flag"]
    assert any("decided before" in str(answer) for answer in answers)
    assert shop.confirmed == [("order-1", 245_000)]


def test_a_mismatch_that_a_person_accepts_is_granted_and_the_audit_knows_it(
    mismatched: Payment, shop: FakeShop, account: Account
) -> None:
    """D03, I2: "or a named person accepted it"."""
    offered = flow.choices(flag_of(mismatched))

    decided = decide(flag_of(mismatched), "accept", "one rupee is not worth a quarrel")

    mismatched.refresh_from_db()
    assert offered == (Decision.ACCEPT, Decision.REFUND)
    assert (stands(mismatched), mismatched.captured) == (("fulfilled", "placed"), 244_900)
    assert (shop.confirmed, points(account)[0]) == ([("order-1", 245_000)], 745)
    assert (decided.reason, decided.resolution, open_flags()) == ("amount_mismatch", "accept", [])
    assert agrees()


def test_a_mismatch_is_given_back_with_what_khalti_took_and_the_goods_are_let_go_of(
    mismatched: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    decide(flag_of(mismatched), "refund")

    assert Refund.objects.get().cash == 244_900
    assert (stands(mismatched), points(account)) == (("refunded", "released"), (1000, 0, 0))
    assert (shop.released, shop.left("pen")) == ([("order-1", "refunded")], 3)
    assert agrees()


def test_a_mismatch_without_a_transaction_cannot_be_given_back_by_us_and_says_so(
    payment: Payment, khalti: Khalti
) -> None:
    """A16"""
    khalti.pay(payment.pidx, transaction_id=None)
    flow.finish(payment)

    flag = decide(flag_of(payment), "refund")

    refund = Refund.objects.get()
    assert (refund.state, khalti.refunded, flag.resolved_at) == ("refused", [], None)
    assert "Khalti's dashboard" in refund.words


def test_what_nobody_could_accept_is_granted_once_the_shop_can(
    mismatched: Payment, shop: FakeShop, khalti: Khalti
) -> None:
    """The acceptance stands; that the shop failed is another flag."""
    shop.fail("confirm", RuntimeError("a bug of the shop's"))

    decide(flag_of(mismatched), "accept")
    between = stands(mismatched), open_flags()
    decide(flag_of(mismatched), "fulfil")

    assert between == (("paid", "open"), ["host_failed"])
    assert stands(mismatched) == ("fulfilled", "placed")
    assert agrees()


def test_a_second_payment_is_given_back_and_the_order_stays(
    twice: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A08"""
    offered = flow.choices(flag_of(twice))

    decide(flag_of(twice), "refund")

    assert Decision.REFUND in offered
    assert khalti.refunded == [(f"T-{twice.pidx}", {})]
    assert (stands(twice), shop.confirmed) == (("refunded", "released"), [("order-1", 245_000)])
    assert points(account)[0] == 745
    assert agrees()


def test_both_of_two_payments_are_granted_where_staff_say_so(twice: Payment, shop: FakeShop) -> None:
    decide(flag_of(twice), "fulfil", "they want two")

    assert [ref for ref, _ in shop.confirmed] == ["order-1", "order-2"]
    assert agrees()


def test_a_refund_that_khalti_refuses_leaves_the_flag_open(late: Payment, khalti: Khalti) -> None:
    khalti.next_refund = [(400, {}, '{"detail": "Insufficient balance."}')]

    flag = decide(flag_of(late), "refund")
    again = decide(flag, "refund")

    assert flag.resolved_at is None
    assert [refund.state for refund in Refund.objects.order_by("pk")] == ["refused", "done"]
    assert again.resolution == "refunded"


def test_a_payment_that_is_being_given_back_is_granted_by_nobody(
    late: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """I3: exactly one of them."""
    khalti.next_refund = [requests.ReadTimeout("silence")]
    decide(Flag.objects.get(reason="paid_after_cancel"), "refund")

    with pytest.raises(CannotDecide, match="being given back"):
        decide(Flag.objects.get(reason="paid_after_cancel"), "fulfil")
    for _looked in flow.reconcile():
        pass

    assert (Refund.objects.get().state, stands(late), shop.confirmed) == ("unknown", ("paid", "released"), [])
    khalti.says(late.pidx, "Refunded", refunded=True, transaction_id=f"T-{late.pidx}")
    for _looked in flow.reconcile():
        pass
    assert (Refund.objects.get().state, stands(late)[0], open_flags()) == ("done", "refunded", [])
    assert agrees()


def test_what_khalti_never_heard_of_is_given_up_by_a_person_and_its_member_can_buy_again(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """C12: never by itself; if it turns out to be paid after all, staff decide."""
    khalti.next_lookup = [(404, {}, '{"detail": "Not found."}')] * 3
    for _ in range(3):
        flow.finish(payment, insist=True)

    decide(flag_of(payment), "give_up", "Khalti's support does not know it either")

    assert (stands(payment), points(account)) == (("released", "released"), (1000, 0, 0))
    assert flow.begin(shop.freeze(shop.cart("order-2", member_id="7"))).state == "initiated"
    khalti.pay(payment.pidx)
    assert flow.finish(payment, insist=True) is Outcome.FLAGGED
    assert open_flags() == ["paid_after_cancel"]


def test_what_is_sold_out_is_tried_ten_times_and_then_it_is_for_staff(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """E03: the flag is closed by the goods being granted, whoever grants them."""
    khalti.says(payment.pidx, "Expired")
    flow.finish(payment)
    shop.stock(pen=0)
    khalti.pay(payment.pidx)
    for _ in range(12):
        flow.finish(payment, insist=True)
    shop.stock(pen=1)
    flow.finish(payment, insist=True)
    payment.refresh_from_db()
    tried = payment.tries, stands(payment)

    decide(flag_of(payment), "fulfil", "a box was found")

    assert tried == (10, ("paid", "released"))
    assert (stands(payment), open_flags(), shop.left("pen")) == (("fulfilled", "placed"), [], 0)
    assert agrees()


def test_what_is_still_sold_out_cannot_be_granted_by_staff_either(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    khalti.says(payment.pidx, "Expired")
    flow.finish(payment)
    shop.stock(pen=0)
    khalti.pay(payment.pidx)
    flow.finish(payment, insist=True)

    with pytest.raises(CannotDecide, match="sold out"):
        decide(flag_of(payment), "fulfil")

    assert (stands(payment), open_flags()) == (("paid", "released"), ["sold_out"])


def test_a_restock_closes_the_flag_by_itself(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    khalti.says(payment.pidx, "Expired")
    flow.finish(payment)
    shop.stock(pen=0)
    khalti.pay(payment.pidx)
    flow.finish(payment, insist=True)
    shop.stock(pen=1)

    assert flow.finish(payment, insist=True) is Outcome.PAID

    flag = Flag.objects.get()
    assert (flag.resolution, flag.actor) == ("fulfilled", None)


def test_a_shop_that_fails_is_told_in_words_and_nothing_is_changed(late: Payment, shop: FakeShop) -> None:
    shop.fail("confirm", RuntimeError("a bug of the shop's, about Sita"))

    with pytest.raises(CannotDecide, match="RuntimeError") as caught:
        decide(flag_of(late), "fulfil")

    assert "Sita" not in str(caught.value)
    assert (stands(late), open_flags()) == (("paid", "released"), ["paid_after_cancel"])


@pytest.mark.parametrize("decision", ["accept", "give_up", "made", "not_made", "amount"])
def test_what_does_not_fit_the_payment_cannot_be_decided(late: Payment, decision: str) -> None:
    with pytest.raises(CannotDecide):
        decide(flag_of(late), decision)

    assert open_flags() == ["paid_after_cancel"]


@pytest.mark.parametrize("reason", ["", "   "])
def test_nothing_is_decided_without_a_reason(late: Payment, reason: str) -> None:
    with pytest.raises(CannotDecide, match="why"):
        decide(flag_of(late), "fulfil", reason)

    assert stands(late) == ("paid", "released")


def test_money_that_holds_goods_cannot_be_dismissed(mismatched: Payment) -> None:
    with pytest.raises(CannotDecide):
        decide(flag_of(mismatched), "dismiss", "no idea")


def test_what_a_person_has_dismissed_is_not_raised_again_for_the_same_evidence(
    payment: Payment, khalti: Khalti
) -> None:
    khalti.says(payment.pidx, "Under review")
    flow.finish(payment, insist=True)
    decide(flag_of(payment), "dismiss", "Khalti says that it is nothing")

    flow.finish(payment, insist=True)
    quiet = open_flags()
    khalti.says(payment.pidx, "Reversed")
    flow.finish(payment, insist=True)

    assert (quiet, open_flags()) == ([], ["unknown_status"])


def test_a_payment_that_bought_something_is_refunded_by_its_order(payment: Payment, khalti: Khalti) -> None:
    khalti.pay(payment.pidx)
    flow.finish(payment)

    with pytest.raises(CannotRefund, match="bought something"):
        flow.give_back(payment, by=STAFF)

    assert khalti.refunded == []


def test_it_refuses_to_run_inside_a_transaction(late: Payment) -> None:
    with transaction.atomic(), pytest.raises(InsideTransaction):
        decide(flag_of(late), "fulfil")
