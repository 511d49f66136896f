"""Refunds that somebody makes at Khalti itself, and refunds of ours after which Khalti was silent."""

from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotDecide, CannotRefund
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.testing import FakeShop
from tests.loyalty.conftest import sound
from tests.purchases import Khalti, points, stands

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SILENCE = requests.ReadTimeout("silence")


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    """Rs 2,500 of goods, Rs 2,450 of it paid at Khalti and Rs 50 by 500 points; 245 points were earned."""
    khalti.pay(payment.pidx)
    flow.finish(payment)
    payment.refresh_from_db()
    return payment


def one_pass() -> None:
    for _looked in flow.reconcile():
        pass


def undo(payment: Payment, goods: int, key: str = "click", **more: Any) -> Refund:
    return flow.undo(payment.purchase, goods=Paisa(goods), shipping=Paisa(0), key=key, by="1", **more)


def open_flags() -> list[str]:
    return sorted(Flag.objects.filter(resolved_at=None).values_list("reason", flat=True))


def refunds() -> list[tuple[str, int]]:
    return list(Refund.objects.order_by("pk").values_list("state", "cash"))


def agrees() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    sound()
    return True


def test_a_full_refund_in_khaltis_dashboard_is_carried_into_shop_and_points_once(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """F06, F08: the points spent come back, those earned are taken back."""
    khalti.says(paid.pidx, "Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")

    one_pass()
    one_pass()

    assert stands(paid) == ("refunded", "placed")
    assert (refunds(), shop.reversed) == ([("done", 245_000)], [("order-1", 245_000, 0)])
    assert points(account) == (1000, 0, 0)
    assert (khalti.refunded, open_flags()) == ([], ["refunded_at_khalti"])
    assert agrees()


def test_what_is_left_after_a_refund_of_ours_is_carried_when_khalti_gives_it_back(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """F06"""
    undo(paid, 100_000)
    khalti.says(paid.pidx, "Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")

    one_pass()

    assert refunds() == [("done", 98_000), ("done", 147_000)]
    assert (stands(paid)[0], points(account)[0]) == ("refunded", 1000)
    assert agrees()


def test_of_a_partial_refund_in_the_dashboard_staff_are_asked_how_much_it_was(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """F06: lookup does not tell."""
    khalti.says(paid.pidx, "Partially Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")
    one_pass()
    one_pass()
    flag = Flag.objects.select_related("payment__purchase").get()
    asked = flag.reason, flow.choices(flag), refunds()

    flow.decide(flag, flow.Decision.AMOUNT, by="1", reason="as the dashboard shows", cash=Paisa(98_000))
    one_pass()

    assert asked == ("refunded_at_khalti", (flow.Decision.AMOUNT,), [])
    assert (refunds(), shop.reversed) == ([("done", 98_000)], [("order-1", 98_000, 0)])
    assert Refund.objects.get().goods == 100_000  # of which, with the points spent, so much comes back
    assert (stands(paid), open_flags(), khalti.refunded) == (("part_refunded", "placed"), [], [])
    assert points(account)[0] == 500 + 245 + 200 - 98
    assert agrees()


@pytest.mark.parametrize("more", [245_001, 0])
def test_no_more_than_was_paid_can_be_said_to_have_gone_back(paid: Payment, khalti: Khalti, more: int) -> None:
    khalti.says(paid.pidx, "Partially Refunded", refunded=True)
    one_pass()
    flag = Flag.objects.select_related("payment__purchase").get()

    with pytest.raises(CannotDecide, match="no more than was paid"):
        flow.decide(flag, flow.Decision.AMOUNT, by="1", reason="typed wrongly", cash=Paisa(more))

    assert (refunds(), open_flags()) == ([], ["refunded_at_khalti"])


@pytest.mark.parametrize(
    ("goods", "status", "state"),
    [(250_000, "Refunded", "refunded"), (100_000, "Partially Refunded", "part_refunded")],
    ids=["full", "first partial"],
)
def test_a_refund_after_which_khalti_was_silent_is_done_once_lookup_says_so(
    paid: Payment, khalti: Khalti, shop: FakeShop, goods: int, status: str, state: str
) -> None:
    """F03: it is never sent again by itself."""
    khalti.next_refund = [SILENCE]
    refund = undo(paid, goods)
    before = refund.state, open_flags()
    khalti.says(paid.pidx, status, refunded=True, transaction_id=f"T-{paid.pidx}")

    one_pass()

    assert before == ("unknown", ["refund_unknown"])
    assert (refunds()[0][0], stands(paid)[0], open_flags()) == ("done", state, [])
    assert (len(khalti.refunded), len(shop.reversed)) == (1, 1)
    assert agrees()


@pytest.mark.parametrize("goods", [250_000, 100_000], ids=["full", "first partial"])
def test_a_refund_that_khalti_does_not_show_for_a_day_was_not_made(
    paid: Payment, khalti: Khalti, shop: FakeShop, goods: int
) -> None:
    """F03: until then nobody knows, and after it staff may ask again."""
    khalti.next_refund = [SILENCE]
    refund = undo(paid, goods)

    with time_machine.travel(timezone.now() + timedelta(hours=23)):
        one_pass()
        early = refunds()[0][0]
        with pytest.raises(CannotRefund, match="not finished"):
            undo(paid, goods, key="impatient")
    with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1)):
        one_pass()
        late = refunds()[0][0], open_flags()
        again = undo(paid, goods, key="again")

    assert (early, late) == ("unknown", ("refused", []))
    assert (again.state, again.cash, len(khalti.refunded)) == ("done", refund.cash, 2)
    assert agrees()


def test_a_later_partial_refund_stays_unknown_until_somebody_looks(paid: Payment, khalti: Khalti) -> None:
    """F03: lookup says Partially Refunded before it and after it."""
    undo(paid, 50_000)
    khalti.next_refund = [SILENCE]
    refund = undo(paid, 50_000, key="second")
    khalti.says(paid.pidx, "Partially Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")

    with time_machine.travel(timezone.now() + timedelta(days=3)):
        one_pass()
    refund.refresh_from_db()

    assert (refund.state, open_flags()) == ("unknown", ["refund_unknown"])


@pytest.mark.parametrize(
    ("decision", "state", "given"), [("made", "done", 2), ("not_made", "refused", 1)], ids=["made", "not made"]
)
def test_staff_say_what_the_dashboard_shows_of_it(
    paid: Payment, khalti: Khalti, shop: FakeShop, decision: str, state: str, given: int
) -> None:
    """F03"""
    undo(paid, 50_000)
    khalti.says(paid.pidx, "Partially Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")
    khalti.next_refund = [SILENCE]
    refund = undo(paid, 50_000, key="second")

    flag = flow.decide(
        Flag.objects.get(resolved_at=None), flow.Decision(decision), by="1", reason="looked into the dashboard"
    )
    refund.refresh_from_db()

    assert (refund.state, len(shop.reversed), open_flags()) == (state, given, [])
    assert (flag.resolution, flag.actor, flag.note) == (decision, "1", "looked into the dashboard")
    assert agrees()


@pytest.mark.parametrize(("left", "after"), [("requested", "refused"), ("sent", "unknown")], ids=["not sent", "sent"])
def test_what_a_crash_left_of_a_refund_is_ended_by_the_next_pass(
    paid: Payment, khalti: Khalti, left: str, after: str
) -> None:
    """B06: what was sent may have been heard."""
    undo(paid, 250_000)
    long_ago = timezone.now() - timedelta(minutes=5)
    Refund.objects.update(state=left, requested_at=long_ago, sent_at=long_ago, carried_at=None, done_at=None)
    Payment.objects.update(state="fulfilled", refunded=0)

    one_pass()

    assert refunds()[0][0] == after
    assert open_flags() == (["refund_unknown"] if after == "unknown" else [])
    assert len(khalti.refunded) == 1


def test_a_refund_on_its_way_just_now_is_nobody_elses(paid: Payment, khalti: Khalti, shop: FakeShop) -> None:
    """F01, F06: a pass that sees Refunded while the refund is being sent leaves it to whoever sends it."""

    def meanwhile() -> None:
        khalti.says(paid.pidx, "Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")
        one_pass()

    khalti.while_refunding = meanwhile

    refund = undo(paid, 250_000)

    assert (refund.state, refunds(), len(shop.reversed)) == ("done", [("done", 245_000)], 1)
    assert agrees()


def test_books_that_could_not_follow_a_refund_follow_in_a_later_pass(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    shop.fail("reverse", RuntimeError("a bug of the shop's"))
    undo(paid, 250_000)
    before = shop.reversed, open_flags()
    khalti.says(paid.pidx, "Refunded", refunded=True, transaction_id=f"T-{paid.pidx}")

    one_pass()

    assert before == ([], ["host_failed"])
    assert (shop.reversed, open_flags(), points(account)[0]) == ([("order-1", 245_000, 0)], [], 1000)
    assert agrees()


def test_paid_orders_are_looked_at_daily_for_thirty_days(paid: Payment, khalti: Khalti) -> None:
    """A03: a return of theirs asks nobody, ever."""
    asked = []
    for day in (0, 2, 29, 31):
        khalti.asked.clear()
        with time_machine.travel(timezone.now() + timedelta(days=day, minutes=1)):
            for _looked in flow.reconcile(due_only=True):
                pass
        asked.append(len(khalti.asked))

    assert asked == [0, 1, 1, 0]
