"""Cut off at every statement in turn, as by kill -9 or a lost connection; whoever comes next completes it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection, connections
from django.utils import timezone

from loyalink_khalti import flow, outbox
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.money import Points
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.ports import Cart, Method, Outcome, Paid
from loyalink_khalti.testing import FakeShop
from tests.loyalty.conftest import sound
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

ENOUGH = 80
"""More statements than any verb has."""
lost = pytest.mark.parametrize("executed", [False, True], ids=["before", "after"])


class Cut:
    """Lets so many statements through, commits included; the next is lost, or only its answer, and so is all after."""

    def __init__(self, after: int, *, executed: bool) -> None:
        self.left, self.executed, self.happened = after, executed, False

    def __call__(self, execute: Callable[..., Any], *statement: Any) -> Any:
        self.left -= 1
        if self.left >= 0:
            return execute(*statement)
        if self.executed and not self.happened:
            execute(*statement)
        self.happened = True
        raise OperationalError("server closed the connection unexpectedly")


@contextmanager
def cut(after: int, monkeypatch: pytest.MonkeyPatch, *, executed: bool) -> Iterator[Cut]:
    cutting = Cut(after, executed=executed)
    database: Any = connections["default"]
    commit = database._commit
    with monkeypatch.context() as patch, connection.execute_wrapper(cutting):
        patch.setattr(database, "_commit", lambda: cutting(commit))
        with suppress(OperationalError, LoyalinkError):
            yield cutting


def announce(ref: str) -> None:
    """What a host would mail."""


@pytest.fixture
def announcing_shop(shop: FakeShop, monkeypatch: pytest.MonkeyPatch) -> FakeShop:
    confirm: Callable[..., str] = shop.confirm

    def confirm_and_announce(ref: str, *, paid: Paid) -> str:
        outbox.post(f"{__name__}.announce", ref=ref)
        return confirm(ref, paid=paid)

    monkeypatch.setattr(shop, "confirm", confirm_and_announce)
    return shop


def cart(shop: FakeShop, number: int) -> Cart:
    return shop.cart(f"order-{number:02}", member_id="7", spends=Points(100))


def the_lease_has_run_out() -> None:
    Payment.objects.update(leased_until=timezone.now())


@lost
def test_a_finish_cut_off_anywhere_is_completed_once_by_the_next(
    executed: bool, announcing_shop: FakeShop, khalti: Khalti, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B01, B02, B03, B10"""
    for number in range(ENOUGH):
        payment = flow.begin(announcing_shop.freeze(cart(announcing_shop, number)))
        khalti.pay(payment.pidx)
        with cut(number, monkeypatch, executed=executed) as cutting:
            flow.finish(payment)
        the_lease_has_run_out()

        assert flow.finish(payment, insist=True) is Outcome.PAID

        booked = Entry.objects.filter(purchase=payment.purchase.key).order_by("seq").values_list("kind", "amount")
        assert list(booked) == [("hold", 100), ("capture", 100), ("earn", 249)]
        assert announcing_shop.confirmed == [(f"order-{each:02}", 249_000) for each in range(number + 1)]
        assert Message.objects.count() == number + 1
        if not cutting.happened:
            break
    else:
        pytest.fail("the sweep never came to the end")
    sound()
    assert not Flag.objects.exists()
    Message.objects.filter(sent_at=None).update(due_at=timezone.now())  # what the dead had in hand is free again
    outbox.deliver()
    assert not Message.objects.filter(sent_at=None).exists()


@lost
def test_a_release_cut_off_anywhere_is_completed_once_by_the_next(
    executed: bool, shop: FakeShop, khalti: Khalti, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B07, B08"""
    for number in range(ENOUGH):
        payment = flow.begin(shop.freeze(cart(shop, number)))
        khalti.says(payment.pidx, "User canceled")
        with cut(number, monkeypatch, executed=executed) as cutting:
            flow.finish(payment)
        the_lease_has_run_out()

        assert flow.finish(payment, insist=True) is Outcome.CANCELLED

        account.refresh_from_db()
        assert (account.available, account.held) == (1000, 0)
        assert shop.released == [(f"order-{each:02}", "cancelled") for each in range(number + 1)]
        if not cutting.happened:
            break
    else:
        pytest.fail("the sweep never came to the end")
    sound()
    assert not Flag.objects.exists()


@lost
def test_a_begin_cut_off_anywhere_holds_nothing_after_the_next_pass(
    executed: bool, shop: FakeShop, khalti: Khalti, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B05, B07: released, or watched until Khalti says that it expired."""
    for number in range(ENOUGH):
        with cut(number, monkeypatch, executed=executed) as cutting:
            flow.begin(shop.freeze(cart(shop, number)))
        for payment in Payment.objects.filter(state="initiated"):
            khalti.says(payment.pidx, "Expired")

        with time_machine.travel(timezone.now() + timedelta(minutes=2)):
            list(flow.reconcile())

        account.refresh_from_db()
        assert (account.available, account.held) == (1000, 0)
        assert not Purchase.objects.exclude(state="released").exists()
        assert not Payment.objects.exclude(state="released").exists()
        if not cutting.happened:
            break
    else:
        pytest.fail("the sweep never came to the end")
    sound()


@lost
def test_a_purchase_cut_off_anywhere_is_placed_whole_or_not_at_all(
    executed: bool, shop: FakeShop, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(ENOUGH):
        with cut(number, monkeypatch, executed=executed) as cutting:
            flow.place(shop.freeze(cart(shop, number)), method=Method.COD)

        placed = Purchase.objects.filter(state="placed")
        account.refresh_from_db()
        assert [order.ref for order in shop.orders()] == [purchase.ref for purchase in placed.order_by("ref")]
        assert (account.available, account.held) == (1000 - 100 * placed.count(), 0)
        if not cutting.happened:
            break
    else:
        pytest.fail("the sweep never came to the end")
    sound()
