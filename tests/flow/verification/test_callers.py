"""While Khalti hangs or does not respond: who gets an answer at once, who waits, and that jobs continue."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from loyalink_khalti import conf, flow
from loyalink_khalti.conf import gateway
from loyalink_khalti.errors import CannotPay, KhaltiUnreachable
from loyalink_khalti.khalti.circuit_breaker import FAILURE_THRESHOLD, breaker_for
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import SERVER, Khalti, at_once, flags, points, states_of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

NOT_RESPONDING = "Khalti is not responding"


@pytest.fixture
def two_slots(settings: Any, shop: FakeShop) -> None:
    """Two calls may run at once, with a short deadline."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "MAX_CONCURRENT_CALLS": 2, "DEADLINE": 0.3}
    gateway._concurrency_limit.cache_clear()


@contextmanager
def all_slots_taken() -> Iterator[None]:
    """All call slots are taken."""
    with ExitStack() as stack:
        for _slot in range(conf.max_concurrent_calls()):
            stack.enter_context(gateway._concurrency_limit(conf.max_concurrent_calls()).slot(timeout=0.0))
        yield


def not_responding() -> None:
    """Khalti has failed often enough to open the circuit breaker."""
    for _time in range(FAILURE_THRESHOLD):
        with pytest.raises(KhaltiUnreachable), breaker_for(SERVER).call(deferrable=False):
            raise KhaltiUnreachable("no answer")


def begin_payment(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(ref, **changes)))


def test_a_customer_without_a_free_call_slot_gets_an_error_and_holds_nothing(
    two_slots: None, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """I14"""
    with all_slots_taken(), pytest.raises(CannotPay, match=NOT_RESPONDING):
        begin_payment(shop, member_id=account.member_id, points_redeemed=Points(500))

    assert (khalti.opened, flags(), points(account)) == ([], [], (1000, 0, 0))
    assert shop.released == [("order-1", "refused")]


def test_while_khalti_is_not_responding_no_payment_is_created(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """C01"""
    not_responding()

    with pytest.raises(CannotPay, match=NOT_RESPONDING):
        begin_payment(shop, member_id=account.member_id, points_redeemed=Points(500))

    assert (khalti.opened, Payment.objects.exists(), points(account)) == ([], False, (1000, 0, 0))


@pytest.mark.parametrize("obstacle", [not_responding, all_slots_taken], ids=["not responding", "no slot"])
def test_a_status_page_without_a_free_call_slot_shows_confirming_at_once(
    two_slots: None, shop: FakeShop, khalti: Khalti, obstacle: Callable[[], Any]
) -> None:
    """I14, C01"""
    payment = begin_payment(shop)
    khalti.pay(payment.pidx)

    with ExitStack() as stack:
        held = obstacle()
        if held is not None:
            stack.enter_context(held)
        outcome = flow.verify_payment(payment)

    assert (outcome, khalti.looked_up, states_of(payment)) == (Outcome.CONFIRMING, [], ("initiated", "open"))


def test_the_reconciler_continues_while_all_pages_wait(two_slots: None, shop: FakeShop, khalti: Khalti) -> None:
    """I3, I14"""
    payment = begin_payment(shop)
    khalti.pay(payment.pidx)

    with all_slots_taken():
        labels = [result.label for result in flow.ReconcilerPass()]

    assert (labels, states_of(payment)) == (["paid"], ("fulfilled", "placed"))


def test_never_more_calls_run_than_the_limit_allows(
    two_slots: None, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """I14: the other threads continue to serve pages."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "DEADLINE": 10}
    two_hang, all_refused, errors = threading.Barrier(6), threading.Event(), list[str]()

    def hang() -> None:
        """Until all others have got an error."""
        two_hang.wait(20)
        all_refused.wait(20)

    def buy(index: int) -> str:
        if index >= 2:
            two_hang.wait(20)
        try:
            begin_payment(shop, f"order-{index}")
        except CannotPay as exc:
            errors.append(str(exc))
            if len(errors) == 4:
                all_refused.set()
            return "refused"
        return "initiated"

    khalti.while_initiating = hang
    outcomes = at_once(6, buy)

    assert outcomes == ["initiated"] * 2 + ["refused"] * 4
    assert all(error.startswith(NOT_RESPONDING) for error in errors)
    assert len(khalti.opened) == 2
