"""While Khalti hangs or is silent: who is told at once, who waits, and that the jobs go on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from loyalink_khalti import conf, flow
from loyalink_khalti.conf import calls
from loyalink_khalti.errors import CannotPay, KhaltiUnreachable
from loyalink_khalti.khalti.gate import SILENCES, gate
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import SERVER, Khalti, at_once, flags, points, stands

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SILENT = "Khalti does not answer just now."


@pytest.fixture
def few(settings: Any, shop: FakeShop) -> None:
    """Two calls may be under way at once, each for a moment."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "CALLS_AT_ONCE": 2, "DEADLINE": 0.3}
    calls._places.cache_clear()


@contextmanager
def all_taken() -> Iterator[None]:
    """As many calls are under way as may be."""
    with ExitStack() as stack:
        for _place in range(conf.calls_at_once()):
            stack.enter_context(calls._places(conf.calls_at_once()).taken(patience=0.0))
        yield


def silence() -> None:
    """Khalti has been silent as often as it takes."""
    for _time in range(SILENCES):
        with pytest.raises(KhaltiUnreachable), gate(SERVER).asking(can_wait=False):
            raise KhaltiUnreachable("no answer")


def begin(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    return flow.begin(shop.freeze(shop.cart(ref, **changes)))


def test_a_shopper_for_whom_there_is_no_place_is_told_and_holds_nothing(
    few: None, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """I14"""
    with all_taken(), pytest.raises(CannotPay, match=SILENT):
        begin(shop, member_id=account.member_id, spends=Points(500))

    assert (khalti.opened, flags(), points(account)) == ([], [], (1000, 0, 0))
    assert shop.released == [("order-1", "refused")]


def test_while_khalti_is_silent_no_payment_is_begun_and_nothing_written(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """C01"""
    silence()

    with pytest.raises(CannotPay, match=SILENT):
        begin(shop, member_id=account.member_id, spends=Points(500))

    assert (khalti.opened, Payment.objects.exists(), points(account)) == ([], False, (1000, 0, 0))


@pytest.mark.parametrize("wall", [silence, all_taken], ids=["silent", "no place"])
def test_a_page_that_looks_is_told_at_once_that_nothing_is_certain(
    few: None, shop: FakeShop, khalti: Khalti, wall: Callable[[], Any]
) -> None:
    """I14, C01"""
    payment = begin(shop)
    khalti.pay(payment.pidx)

    with ExitStack() as stack:
        reached = wall()
        if reached is not None:
            stack.enter_context(reached)
        outcome = flow.finish(payment)

    assert (outcome, khalti.asked, stands(payment)) == (Outcome.CONFIRMING, [], ("initiated", "open"))


def test_the_reconciler_goes_on_while_all_pages_wait(few: None, shop: FakeShop, khalti: Khalti) -> None:
    """I3, I14"""
    payment = begin(shop)
    khalti.pay(payment.pidx)

    with all_taken():
        told = [looked.told for looked in flow.Pass()]

    assert (told, stands(payment)) == (["paid"], ("fulfilled", "placed"))


def test_never_more_calls_are_under_way_than_the_pages_may_make(
    few: None, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """I14: the threads of the others go on serving pages."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "DEADLINE": 10}
    two_hang, all_told, told = threading.Barrier(6), threading.Event(), list[str]()

    def hang() -> None:
        """Until everybody else has been told."""
        two_hang.wait(20)
        all_told.wait(20)

    def buy(index: int) -> str:
        if index >= 2:
            two_hang.wait(20)
        try:
            begin(shop, f"order-{index}")
        except CannotPay as exc:
            told.append(str(exc))
            if len(told) == 4:
                all_told.set()
            return "told"
        return "begun"

    khalti.while_initiating = hang
    outcomes = at_once(6, buy)

    assert outcomes == ["begun"] * 2 + ["told"] * 4
    assert all(words.startswith(SILENT) for words in told)
    assert len(khalti.opened) == 2
