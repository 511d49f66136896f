"""Refunds made in Khalti's dashboard, and refunds of ours that Khalti did not answer."""

from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, CannotResolve
from loyalink_khalti.flow import audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.testing import FakeShop
from tests.loyalty.conftest import check_ledger
from tests.purchases import Khalti, points, states_of

pytestmark = [
    pytest.mark.money,
    pytest.mark.same_on_both,
    pytest.mark.django_db(transaction=True),
    pytest.mark.sampled,
]

SILENCE = requests.ReadTimeout("silence")


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    """Rs 2,500 of products, Rs 2,450 of it paid at Khalti and Rs 50 by 500 points; 245 points were earned."""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    return payment


def run_pass() -> None:
    for _result in flow.reconcile():
        pass


def refund_order(payment: Payment, subtotal: int, key: str = "click", **more: Any) -> Refund:
    return flow.refund_order(payment.purchase, subtotal=Paisa(subtotal), shipping=Paisa(0), key=key, actor="1", **more)


def open_flags() -> list[str]:
    return sorted(Flag.objects.filter(resolved_at=None).values_list("reason", flat=True))


def refunds() -> list[tuple[str, int]]:
    return list(Refund.objects.order_by("pk").values_list("state", "amount"))


def agrees() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    check_ledger()
    return True


def test_a_full_refund_in_khaltis_dashboard_is_applied_to_order_and_points_once(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """F06, F08: the points spent come back, those earned are taken back."""
    khalti.says(paid.pidx, "Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")

    run_pass()
    run_pass()

    assert states_of(paid) == ("refunded", "placed")
    assert (refunds(), shop.refunded) == ([("done", 245_000)], [("order-1", 245_000, 0)])
    assert points(account) == (1000, 0, 0)
    assert (khalti.refunded, open_flags()) == ([], ["refunded_at_khalti"])
    assert agrees()


def test_the_rest_after_a_refund_of_ours_is_applied_when_khalti_refunds_it(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """F06"""
    refund_order(paid, 100_000)
    khalti.says(paid.pidx, "Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")

    run_pass()

    assert refunds() == [("done", 98_000), ("done", 147_000)]
    assert (states_of(paid)[0], points(account)[0]) == ("refunded", 1000)
    assert agrees()


def test_a_partial_refund_in_the_dashboard_asks_staff_for_its_amount(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """F06: lookup does not report it."""
    khalti.says(paid.pidx, "Partially Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")
    run_pass()
    run_pass()
    flag = Flag.objects.select_related("payment__purchase").get()
    before = flag.reason, flow.resolution_options(flag), refunds()

    flow.resolve_flag(
        flag, flow.Resolution.RECORD_REFUND, actor="1", reason="as the dashboard shows", amount=Paisa(98_000)
    )
    run_pass()

    assert before == ("refunded_at_khalti", (flow.Resolution.RECORD_REFUND,), [])
    assert (refunds(), shop.refunded) == ([("done", 98_000)], [("order-1", 98_000, 0)])
    assert Refund.objects.get().subtotal == 100_000  # of which, with the points spent, so much comes back
    assert (states_of(paid), open_flags(), khalti.refunded) == (("partially_refunded", "placed"), [], [])
    assert points(account)[0] == 500 + 245 + 200 - 98
    assert agrees()


@pytest.mark.parametrize("more", [245_001, 0])
def test_no_more_than_was_paid_can_be_recorded_as_refunded(paid: Payment, khalti: Khalti, more: int) -> None:
    khalti.says(paid.pidx, "Partially Refunded", refunded=True)
    run_pass()
    flag = Flag.objects.select_related("payment__purchase").get()

    with pytest.raises(CannotResolve, match="no more than was paid"):
        flow.resolve_flag(flag, flow.Resolution.RECORD_REFUND, actor="1", reason="typed wrongly", amount=Paisa(more))

    assert (refunds(), open_flags()) == ([], ["refunded_at_khalti"])


def test_an_unanswered_full_refund_is_done_once_lookup_reports_it(
    paid: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """F03: it is never sent again by itself."""
    khalti.next_refund = [SILENCE]
    refund = refund_order(paid, 250_000)
    before = refund.state, open_flags()
    khalti.refund(f"T-{paid.pidx}")

    run_pass()

    assert before == ("unknown", ["refund_unknown"])
    assert (refunds(), states_of(paid)[0], open_flags()) == ([("done", 245_000)], "refunded", [])
    assert (len(khalti.refunded), len(shop.refunded)) == (1, 1)
    assert not Refund.objects.get().inferred
    assert agrees()


@pytest.mark.parametrize("subtotal", [250_000, 100_000], ids=["full", "first partial"])
def test_a_refund_that_khalti_does_not_report_for_a_day_was_not_made(
    paid: Payment, khalti: Khalti, shop: FakeShop, subtotal: int
) -> None:
    """F03: until then it is unknown, and after it staff may request it again."""
    khalti.next_refund = [SILENCE]
    refund = refund_order(paid, subtotal)

    with time_machine.travel(timezone.now() + timedelta(hours=23)):
        run_pass()
        early = refunds()[0][0]
        with pytest.raises(CannotRefund, match="not finished"):
            refund_order(paid, subtotal, key="impatient")
    with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1)):
        run_pass()
        late = refunds()[0][0], open_flags()
        again = refund_order(paid, subtotal, key="again")

    assert (early, late) == ("unknown", ("refused", []))
    assert (again.state, again.amount, len(khalti.refunded)) == ("done", refund.amount, 2)
    assert agrees()


def test_a_later_partial_refund_stays_unknown_until_staff_check(paid: Payment, khalti: Khalti) -> None:
    """F03: lookup says Partially Refunded before it and after it."""
    refund_order(paid, 50_000)
    khalti.next_refund = [SILENCE]
    refund = refund_order(paid, 50_000, key="second")

    with time_machine.travel(timezone.now() + timedelta(days=3)):
        run_pass()
    refund.refresh_from_db()

    assert (refund.state, open_flags()) == ("unknown", ["refund_unknown"])


@pytest.mark.parametrize(
    ("resolution", "state", "refunded"),
    [("confirm_refund", "done", 2), ("reject_refund", "refused", 1)],
    ids=["made", "not made"],
)
def test_staff_record_what_the_dashboard_shows(
    paid: Payment, khalti: Khalti, shop: FakeShop, resolution: str, state: str, refunded: int
) -> None:
    """F03"""
    refund_order(paid, 50_000)
    khalti.next_refund = [SILENCE]
    refund = refund_order(paid, 50_000, key="second")

    flag = flow.resolve_flag(
        Flag.objects.get(resolved_at=None), flow.Resolution(resolution), actor="1", reason="checked in the dashboard"
    )
    refund.refresh_from_db()

    assert (refund.state, len(shop.refunded), open_flags()) == (state, refunded, [])
    assert (flag.resolution, flag.actor, flag.note) == (resolution, "1", "checked in the dashboard")
    assert agrees()


def test_an_unanswered_last_refund_that_lookup_shows_is_done_and_marked_as_inferred(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """R4: all of the money went back, by ours or in the dashboard; the audit lists it."""
    refund_order(paid, 50_000)
    khalti.next_refund = [SILENCE]
    last = refund_order(paid, 200_000, key="second")
    khalti.refund(f"T-{paid.pidx}")

    run_pass()

    last.refresh_from_db()
    assert (last.state, last.inferred, states_of(paid)[0], open_flags()) == ("done", True, "refunded", [])
    assert (points(account)[0], len(shop.refunded)) == (1000, 2)
    (listed,) = audit()["inferred_refunds"]
    assert (listed["refund"], listed["amount"], listed["state"]) == ("second", 196_000, "done")
    assert agrees()


def test_an_unanswered_part_of_a_payment_that_is_refunded_in_full_leaves_books_that_agree(
    paid: Payment, khalti: Khalti, account: Account
) -> None:
    """R4: ours of Rs 490 was not answered, and all of the money has gone back since: the rest in the dashboard."""
    khalti.next_refund = [SILENCE]
    refund_order(paid, 50_000)
    khalti.refund(f"T-{paid.pidx}")

    run_pass()

    assert (refunds(), points(account)[0]) == ([("done", 49_000), ("done", 196_000)], 1000)
    assert (Refund.objects.order_by("pk")[0].inferred, open_flags()) == (True, ["refunded_at_khalti"])
    assert agrees()


@pytest.mark.parametrize("others", [0, 1, 2], ids=["first", "second", "last"])
def test_an_unanswered_partial_refund_stays_unknown_while_khalti_reports_a_part(
    paid: Payment, khalti: Khalti, others: int
) -> None:
    """R4: that a part was refunded does not say which. The last one was not made: else Khalti would say Refunded."""
    for number in range(others):
        refund_order(paid, 100_000, key=f"before {number}")
    khalti.next_refund = [SILENCE]
    refund = refund_order(paid, 50_000)
    khalti.says(paid.pidx, "Partially Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")

    with time_machine.travel(timezone.now() + timedelta(days=3)):
        run_pass()
    refund.refresh_from_db()

    expected = ("refused", True, []) if others == 2 else ("unknown", False, ["refund_unknown"])
    assert (refund.state, refund.inferred, open_flags()) == expected
    assert agrees()


def test_an_unanswered_last_refund_after_one_recorded_by_staff_stays_unknown(paid: Payment, khalti: Khalti) -> None:
    """R4: the recorded one may have been in cash; then ours is the part that Khalti reports."""
    flow.record_refund(
        paid, amount=Paisa(49_000), made_on=day_of(timezone.now()), reason="cash", actor="1", key="cash"
    )  # fmt: skip
    khalti.next_refund = [SILENCE]
    refund = refund_order(paid, 200_000)
    khalti.says(paid.pidx, "Partially Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")

    with time_machine.travel(timezone.now() + timedelta(days=3)):
        run_pass()
    refund.refresh_from_db()

    assert (refund.state, open_flags()) == ("unknown", ["refund_unknown"])


@pytest.mark.parametrize(("left", "after"), [("requested", "refused"), ("sent", "unknown")], ids=["not sent", "sent"])
def test_a_refund_left_by_a_crash_is_ended_by_the_next_pass(
    paid: Payment, khalti: Khalti, left: str, after: str
) -> None:
    """B06: a refund that was sent may have been made."""
    refund_order(paid, 250_000)
    long_ago = timezone.now() - timedelta(minutes=5)
    Refund.objects.update(state=left, requested_at=long_ago, sent_at=long_ago, applied_at=None, done_at=None)
    Payment.objects.update(state="fulfilled", refunded=0)
    khalti.pay(paid.pidx)

    run_pass()

    assert refunds()[0][0] == after
    assert open_flags() == (["refund_unknown"] if after == "unknown" else [])
    assert len(khalti.refunded) == 1


def test_a_refund_that_is_being_sent_is_left_alone(paid: Payment, khalti: Khalti, shop: FakeShop) -> None:
    """F01, F06: a pass that sees Refunded while the refund is being sent, its lease over, leaves it to its sender."""

    def meanwhile() -> None:
        khalti.refund(f"T-{paid.pidx}")
        Payment.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        run_pass()

    khalti.while_refunding = meanwhile

    refund = refund_order(paid, 250_000)

    assert (refund.state, refunds(), len(shop.refunded)) == ("done", [("done", 245_000)], 1)
    assert agrees()


def test_a_refund_that_the_shop_could_not_apply_is_applied_in_a_later_pass(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    shop.fail("refund", RuntimeError("a bug of the shop's"))
    refund_order(paid, 250_000)
    before = shop.refunded, open_flags()
    khalti.says(paid.pidx, "Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")

    run_pass()

    assert before == ([], ["host_failed"])
    assert (shop.refunded, open_flags(), points(account)[0]) == ([("order-1", 245_000, 0)], [], 1000)
    assert agrees()


def test_paid_orders_are_polled_daily_for_thirty_days(paid: Payment, khalti: Khalti) -> None:
    """A03: a return of a settled payment never causes a lookup."""
    lookups = []
    for day in (0, 2, 29, 31):
        khalti.looked_up.clear()
        with time_machine.travel(timezone.now() + timedelta(days=day, minutes=1)):
            for _result in flow.reconcile(due_only=True):
                pass
        lookups.append(len(khalti.looked_up))

    assert lookups == [0, 1, 1, 0]
