"""Single steps: who may ask Khalti and when, how long a link lives, which way a payment may not go."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from loyalink_khalti import conf
from loyalink_khalti.khalti.wire import Initiated
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import services
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import Reason, State
from loyalink_khalti.ports import Method
from loyalink_khalti.testing import FakeShop
from tests.purchases import at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 2, 25, 6, 0, tzinfo=UTC)


@pytest.fixture
def payment(shop: FakeShop) -> Payment:
    return opened(shop)


def opened(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    """A payment that is about to be asked for."""
    purchase = services.open_purchase(shop.cart(ref, **changes), method=Method.KHALTI, worth=Paisa(0))
    return services.open_payment(purchase, credentials=conf.credentials("default"))


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def answer(expires_at: datetime | None) -> Initiated:
    return Initiated(pidx="pidx1", payment_url="https://pay.khalti.com/", expires_at=expires_at, expires_in=None)


def test_one_asks_and_the_others_do_not(payment: Payment) -> None:
    leases = at_once(20, lambda _: services.take_lease(payment, seconds=15, visitor=True))

    assert sorted(map(bool, leases)) == [False] * 19 + [True]


def test_a_lease_ends_when_it_is_dropped_or_has_run_out(payment: Payment) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        first = services.take_lease(payment, seconds=15)
        clock.move_to(later(14))
        early = services.take_lease(payment, seconds=15)
        clock.move_to(later(15))
        second = services.take_lease(payment, seconds=15)
        services.drop_lease(payment, second)
        third = services.take_lease(payment, seconds=15)

    assert (bool(first), early, bool(second), bool(third)) == (True, "", True, True)


def test_a_lease_that_ran_out_does_not_end_the_next_ones(payment: Payment) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        first = services.take_lease(payment, seconds=15)
        clock.move_to(later(16))
        services.take_lease(payment, seconds=15)
        services.drop_lease(payment, first)

        assert services.take_lease(payment, seconds=15) == ""


def test_visitors_make_no_call_within_3_then_10_then_30_seconds(payment: Payment) -> None:
    """K07: each may try every second, as a page that refreshes itself does."""
    asked = []
    with time_machine.travel(NOW, tick=False) as clock:
        for second in range(110):
            clock.move_to(later(second))
            payment.refresh_from_db()
            if lease := services.take_lease(payment, seconds=15, visitor=True):
                asked.append(second)
                services.drop_lease(payment, lease)

    assert asked == [0, 3, 13, 43, 73, 103]


def test_a_lease_whose_answer_was_lost_is_taken_at_the_second_try(payment: Payment) -> None:
    """B02: and by nobody else."""
    lease = services.new_lease()
    services.take_lease(payment, seconds=15, lease=lease)

    assert services.take_lease(payment, seconds=15, lease=lease) == lease
    assert services.take_lease(payment, seconds=15) == ""


def test_a_job_that_asked_keeps_no_visitor_waiting(payment: Payment) -> None:
    with time_machine.travel(NOW, tick=False):
        for _ in range(5):
            services.drop_lease(payment, services.take_lease(payment, seconds=15), by_job=True)

        assert services.take_lease(payment, seconds=15, visitor=True)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (later(1800), later(1800)),
        (later(24 * 3600), later(24 * 3600)),
        (None, later(3600)),
        (later(0), later(3600)),
        (later(-1), later(3600)),
        (later(24 * 3600 + 1), later(3600)),
        (datetime(9999, 12, 31, tzinfo=UTC), later(3600)),
    ],
)
def test_a_link_lives_as_khalti_says_or_else_an_hour(payment: Payment, told: datetime | None, kept: datetime) -> None:
    """C25"""
    with time_machine.travel(NOW, tick=False):
        services.initiated(payment, answer(told))

    payment.refresh_from_db()
    assert payment.expires_at == kept


def test_an_answer_after_the_payment_was_given_up_is_not_stored(payment: Payment) -> None:
    services.move(payment, State.RELEASED, why="refused")

    stored = services.initiated(payment, answer(None))

    payment.refresh_from_db()
    assert (stored, payment.state, payment.pidx) == (False, "released", None)


def test_an_answer_whose_commit_was_not_acknowledged_may_be_stored_again(payment: Payment) -> None:
    services.initiated(payment, answer(None))

    assert services.initiated(payment, answer(None))


@pytest.mark.parametrize("end", [State.PAID, State.FULFILLED, State.MISMATCHED, State.REFUNDED, State.CREATED])
def test_a_payment_moves_along_its_edges_only(payment: Payment, end: State) -> None:
    """I8"""
    with pytest.raises(ValueError, match="cannot go from created"):
        services.move(payment, end)

    payment.refresh_from_db()
    assert payment.state == "created"


def test_a_flag_stands_once_and_again_after_it_was_resolved(payment: Payment) -> None:
    """I16"""
    services.raise_flag(payment, Reason.LATE, {"first": True})
    services.raise_flag(payment, Reason.LATE, {"first": False})
    payment.flags.update(resolved_at=timezone.now())
    services.raise_flag(payment, Reason.LATE, {"second": True})

    assert list(payment.flags.order_by("pk").values_list("evidence", flat=True)) == [{"first": True}, {"second": True}]


def test_the_same_flag_raised_at_once_stands_once(payment: Payment) -> None:
    raised = at_once(10, lambda _: services.raise_flag(payment, Reason.LATE, {}))

    assert raised == [None] * 10
    assert payment.flags.count() == 1


def test_a_purchase_has_one_live_payment(payment: Payment) -> None:
    """A20"""
    with pytest.raises(IntegrityError, match=r"(?i)unique|loyalink_one_live_payment"):
        services.open_payment(payment.purchase, credentials=payment.credentials)


def test_a_second_attempt_has_a_name_of_its_own_at_khalti(payment: Payment) -> None:
    services.move(payment, State.RELEASED, why="expired")

    second = services.open_payment(payment.purchase, credentials=payment.credentials)

    assert (payment.purchase_order_id, second.purchase_order_id) == ("order-1-1", "order-1-2")
    assert len(second.token) >= 22  # 128 bits


def test_a_purchase_has_one_fulfilled_payment(payment: Payment) -> None:
    """I1"""
    Payment.objects.filter(pk=payment.pk).update(state="fulfilled", fulfilled_at=timezone.now())
    second = services.open_payment(payment.purchase, credentials=payment.credentials)

    with pytest.raises(IntegrityError):
        Payment.objects.filter(pk=second.pk).update(state="fulfilled", fulfilled_at=timezone.now())


def test_a_shop_names_a_purchase_once(payment: Payment, shop: FakeShop) -> None:
    with pytest.raises(IntegrityError):
        opened(shop, origin="another basket")


@pytest.mark.parametrize(
    "wrong", [{"payable": 1}, {"worth": 250_001, "payable": -1}, {"worth": -1, "payable": 250_001}, {"spends": -1}]
)
def test_the_database_refuses_a_purchase_that_does_not_add_up(payment: Payment, wrong: dict[str, int]) -> None:
    with pytest.raises(IntegrityError):
        Purchase.objects.update(**wrong)


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"refunded": 1}, {"captured": 5, "refunded": 6}, {"refunded": -1}])
def test_the_database_refuses_a_refund_above_what_was_captured(payment: Payment, wrong: dict[str, int]) -> None:
    """I7"""
    with pytest.raises(IntegrityError):
        Payment.objects.update(**wrong)


def test_a_lock_takes_the_whole_basket_so_that_it_is_bought_once(payment: Payment, shop: FakeShop) -> None:
    other = opened(shop, "order-2", origin=payment.purchase.origin)
    opened(shop, "order-3")

    with transaction.atomic():
        purchase, payments = services.lock(other.purchase_id)

    assert (purchase.ref, [each.pk for each in payments]) == ("order-2", [other.pk])
