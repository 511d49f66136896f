"""R4: a lookup comes before every refund; where Khalti is silent or reports something else, nothing is sent."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.flow import Resolution, audit
from loyalink_khalti.khalti.circuit_breaker import breaker_for
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import polling
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.testing import FakeShop
from tests.loyalty.conftest import check_ledger
from tests.purchases import SERVER, Khalti, at_once, points, states_of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.sampled]
both = pytest.mark.same_on_both

SILENCE = requests.ReadTimeout("silence")
FAILURE = (500, {}, "<h1>Server Error</h1>")


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    """Rs 2,500 of products, Rs 2,450 of it paid at Khalti and Rs 50 by 500 points; 245 points were earned."""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    khalti.looked_up.clear()
    return payment


def run_pass() -> None:
    for _result in flow.reconcile():
        pass


def refund_order(payment: Payment, amount: int, key: str = "click") -> Refund:
    """Refund products of so many paisa before points."""
    return flow.refund_order(payment.purchase, subtotal=Paisa(amount), shipping=Paisa(0), key=key, actor="1")


def record(payment: Payment, amount: int, key: str = "record") -> Refund:
    today = day_of(timezone.now())
    return flow.record_refund(payment, amount=Paisa(amount), made_on=today, reason="dashboard", actor="1", key=key)


def open_flags() -> list[str]:
    return sorted(Flag.objects.filter(resolved_at=None).values_list("reason", flat=True))


def refunds() -> list[tuple[str, int]]:
    return list(Refund.objects.order_by("pk").values_list("state", "amount"))


def agrees() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    check_ledger()
    return True


def test_a_refund_is_looked_up_first_and_sent_once(paid: Payment, khalti: Khalti) -> None:
    """R4: two calls, the lookup before the refund, and the lease ends with them."""
    seen: list[tuple[str, bool]] = []

    def note() -> None:
        seen.append((Refund.objects.get().state, bool(Payment.objects.get().lease)))

    khalti.while_looking_up = khalti.while_refunding = note

    assert refund_order(paid, 100_000).state == "done"

    assert (khalti.looked_up, len(khalti.refunded)) == ([paid.pidx], 1)
    assert seen == [("requested", True), ("sent", True)]
    assert Payment.objects.get().lease == ""
    assert agrees()


@pytest.mark.parametrize("amount", [100_000, 250_000], ids=["part", "full"])
@pytest.mark.parametrize(
    "silence",
    [SILENCE, FAILURE, (200, {}, "{}"), (400, {}, '{"detail": "Not found."}'), (429, {}, "{}"), (401, {}, "{}")],
    ids=["no answer", "500", "unreadable", "not found", "throttled", "key refused"],
)
def test_without_an_answer_to_the_lookup_nothing_is_sent_and_staff_may_try_again(
    paid: Payment, khalti: Khalti, silence: Any, amount: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R4"""
    khalti.next_lookup = [silence]

    refund = refund_order(paid, amount)

    assert (refund.state, khalti.refunded, refund.sent_at) == ("refused", [], None)
    assert "Nothing was sent" in refund.khalti_message
    assert (states_of(paid), Payment.objects.get().lease) == (("fulfilled", "placed"), "")
    monkeypatch.setattr(breaker_for(SERVER), "_clock", lambda: time.monotonic() + 60)  # after 429 Khalti is left alone
    assert refund_order(paid, amount, key="again").state == "done"
    assert len(khalti.refunded) == 1
    assert agrees()


def test_a_part_refunded_in_the_dashboard_and_not_noticed_yet_stops_ours_until_it_is_recorded(
    paid: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """R4: Rs 50 in the dashboard, then ours of Rs 90: Khalti had 140 and the store 90."""
    khalti.refund(f"T-{paid.pidx}", 5_000)

    refund = refund_order(paid, 9_184)

    assert (refund.state, refund.amount, khalti.refunded) == ("refused", 9_000, [])
    assert "Partially Refunded" in refund.khalti_message
    assert open_flags() == ["refunded_at_khalti"]
    assert agrees()
    with pytest.raises(CannotRefund, match="Record that amount first"):
        refund_order(paid, 9_184, key="impatient")

    record(paid, 5_000)
    again = refund_order(paid, 9_184, key="again")

    assert (again.state, again.amount, open_flags()) == ("done", 9_000, [])
    assert khalti.refunded == [(f"T-{paid.pidx}", {"amount": 9_000})]
    assert [amount for _ref, amount, _shipping in shop.refunded] == [5_000, 9_000]
    assert Payment.objects.get().refunded == khalti.refunded_of(paid.pidx) == 14_000
    assert agrees()


def test_ours_that_failed_and_a_part_refunded_in_the_dashboard_is_not_called_ours(
    paid: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """R4: ours of Rs 90 failed (500), and Rs 50 went back in the dashboard: the store said 90."""
    khalti.next_refund = [FAILURE]
    assert refund_order(paid, 9_184).state == "unknown"
    khalti.refund(f"T-{paid.pidx}", 5_000)

    with time_machine.travel(timezone.now() + timedelta(days=3)):
        run_pass()
    assert (refunds(), shop.refunded, open_flags()) == ([("unknown", 9_000)], [], ["refund_unknown"])
    assert agrees()

    flag = Flag.objects.select_related("payment__purchase").get(resolved_at=None)
    flow.resolve_flag(flag, Resolution.REJECT_REFUND, actor="1", reason="the dashboard has Rs 50 only")
    assert open_flags() == ["refunded_at_khalti"]
    assert agrees()
    record(paid, 5_000)

    assert (refunds(), open_flags()) == ([("refused", 9_000), ("done", 5_000)], [])
    assert Payment.objects.get().refunded == khalti.refunded_of(paid.pidx) == 5_000
    assert agrees()


@pytest.mark.parametrize(("amount", "state"), [(None, "refunded"), (9_000, "fulfilled")], ids=["full", "part"])
def test_the_same_refund_again_after_a_restore_of_the_database_is_not_sent(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account, amount: int | None, state: str
) -> None:
    """R4: Khalti has made it, and the restored database does not know it. A full one is applied to the order."""
    khalti.refund(f"T-{paid.pidx}", amount)

    refund = refund_order(paid, 250_000 if amount is None else 9_184)

    assert (refund.state, khalti.refunded, states_of(paid)[0]) == ("refused", [], state)
    assert open_flags() == ["refunded_at_khalti"]
    if amount is None:
        assert (refunds(), points(account)) == ([("refused", 245_000), ("done", 245_000)], (1000, 0, 0))
        assert [money for _ref, money, _shipping in shop.refunded] == [245_000]
    run_pass()
    assert len(Refund.objects.all()) == (2 if amount is None else 1)
    assert agrees()


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Expired"},
        {"status": "Pending"},
        {"status": "Reversed"},
        {"pidx": "another"},
        {"total_amount": 244_999},
        {"transaction_id": "T-other"},
        {"refunded": True},
    ],
    ids=str,
)
@both
def test_where_khalti_reports_something_else_than_is_recorded_nothing_is_sent(
    paid: Payment, khalti: Khalti, account: Account, answer: dict[str, Any]
) -> None:
    """R4, R11"""
    before = points(account)
    khalti.pay(paid.pidx, **answer) if "status" not in answer else khalti.says(paid.pidx, answer["status"])

    refund = refund_order(paid, 100_000)

    assert (refund.state, khalti.refunded) == ("refused", [])
    assert "Nothing was sent" in refund.khalti_message
    assert (states_of(paid), points(account), open_flags()) == (("fulfilled", "placed"), before, ["contradiction"])
    assert agrees()


@both
def test_a_refund_that_khalti_no_longer_reports_stops_the_next_one(paid: Payment, khalti: Khalti) -> None:
    """R4: Khalti confirmed Rs 490, and says Completed now."""
    assert refund_order(paid, 50_000).state == "done"
    khalti.pay(paid.pidx)

    assert refund_order(paid, 50_000, key="second").state == "refused"

    assert (len(khalti.refunded), open_flags()) == (1, ["contradiction"])
    assert agrees()


@both
def test_a_refund_recorded_in_cash_does_not_stop_the_next_one(paid: Payment, khalti: Khalti) -> None:
    """R4: Khalti says Completed, and rightly: it has refunded nothing."""
    record(paid, 5_000)

    assert refund_order(paid, 50_000).state == "done"
    assert (len(khalti.refunded), open_flags()) == (1, [])
    assert agrees()


@both
def test_a_payment_without_an_order_is_looked_up_before_it_is_refunded(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """R4: the same for money that bought nothing. What Khalti says is applied as any other lookup's answer."""
    flow.cancel_payment(payment, customer_present=False)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)
    khalti.refund(f"T-{payment.pidx}", 5_000)

    refund = flow.refund_payment(payment, actor="1")

    assert (refund.state, khalti.refunded) == ("refused", [])
    assert states_of(payment)[0] == "partially_refunded"
    assert "refunded_at_khalti" in open_flags()
    record(payment, 5_000)
    assert flow.refund_payment(payment, actor="1").state == "done"
    assert khalti.refunded == [(f"T-{payment.pidx}", {"amount": 240_000})]
    assert agrees()


def test_while_another_process_has_the_lease_a_refund_waits_a_moment_and_then_says_try_again(
    paid: Payment, khalti: Khalti, settings: Any
) -> None:
    """R4"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "DEADLINE": 0.3}
    lease = polling.acquire_lease(paid, seconds=60, even_if_settled=True)

    refund = refund_order(paid, 100_000)

    assert (refund.state, khalti.looked_up, khalti.refunded) == ("refused", [], [])
    assert refund.khalti_message.endswith("Nothing was sent: try again.")
    polling.end_lease(paid, lease)
    assert refund_order(paid, 100_000, key="again").state == "done"
    assert agrees()


def test_a_refund_waits_for_a_lookup_that_is_running(paid: Payment, khalti: Khalti) -> None:
    """R4: staff press "Refresh status" in one tab and "Refund" in another."""
    refreshing, tick = threading.Event(), threading.Event()

    def until_the_refund_is_requested() -> None:
        if not refreshing.is_set():
            refreshing.set()
            while not Refund.objects.exists():
                tick.wait(0.01)

    def one(index: int) -> Any:
        if index:
            refreshing.wait()
            return refund_order(paid, 100_000)
        return flow.refresh_payment(paid)

    khalti.while_looking_up = until_the_refund_is_requested

    refreshed, refund = at_once(2, one)

    assert isinstance(refund, Refund), refund
    assert (refreshed.status, refund.state, len(khalti.refunded)) == ("Completed", "done", 1)
    assert open_flags() == []
    assert agrees()


def test_a_second_click_during_the_lookup_neither_waits_nor_sends(paid: Payment, khalti: Khalti) -> None:
    """R4, F01"""
    second: list[Any] = []

    def click_again() -> None:
        khalti.while_looking_up = lambda: None
        second.extend(at_once(1, lambda _: refund_order(paid, 100_000)))

    khalti.while_looking_up = click_again

    first = refund_order(paid, 100_000)

    assert (first.state, second[0].state, second[0].is_repeated) == ("done", "requested", True)
    assert (khalti.looked_up, len(khalti.refunded)) == ([paid.pidx], 1)
    assert agrees()


class Killed(BaseException):
    """The process died."""


def test_killed_during_the_lookup_a_refund_was_never_sent_and_a_pass_ends_it(paid: Payment, khalti: Khalti) -> None:
    """R4, B06"""

    def kill() -> None:
        raise Killed

    khalti.while_looking_up = kill
    with pytest.raises(Killed):
        refund_order(paid, 100_000)
    khalti.while_looking_up = lambda: None
    assert Refund.objects.get().state == "requested"

    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        run_pass()
        assert (refunds(), khalti.refunded, open_flags()) == ([("refused", 98_000)], [], [])
        assert refund_order(paid, 100_000, key="again").state == "done"
    assert agrees()


def test_an_answer_after_the_lease_was_lost_sends_nothing(paid: Payment, khalti: Khalti) -> None:
    """R4: this process was frozen during its lookup, and another has looked up since."""

    def overtake() -> None:
        Payment.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        assert polling.acquire_lease(paid, seconds=60, even_if_settled=True)

    khalti.while_looking_up = overtake

    refund = refund_order(paid, 100_000)

    assert (refund.state, khalti.refunded) == ("refused", [])
    assert agrees()


def test_khalti_that_falls_silent_between_the_two_calls_leaves_the_refund_unconfirmed(
    paid: Payment, khalti: Khalti
) -> None:
    """R4, F03: the lookup was answered, the refund was not."""
    khalti.next_refund = [SILENCE]

    refund = refund_order(paid, 100_000)

    assert (refund.state, Payment.objects.get().lease, open_flags()) == ("unknown", "", ["refund_unknown"])
    assert len(khalti.refunded) == 1
    assert agrees()
