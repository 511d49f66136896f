"""The reconciler: payments whose customers did not return."""

from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from loyalink_khalti import flow, outbox
from loyalink_khalti.errors import CannotPay, InsideTransaction
from loyalink_khalti.flow import PassLabel
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments import polling
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

sent: list[str] = []


def send(word: str) -> None:
    sent.append(word)


def begin(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(ref, **changes)))


def one_pass() -> dict[str, Outcome | None]:
    """The outcome of each payment that changed."""
    return {
        result.payment.purchase.ref: result.outcome
        for result in flow.reconcile()
        if result.label != PassLabel.UNCHANGED
    }


def test_the_purchase_of_a_customer_who_closed_the_tab_is_completed(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """B04: I3"""
    payment = begin(shop, member_id=account.member_id, points_redeemed=Points(500))
    khalti.pay(payment.pidx)

    assert one_pass() == {"order-1": Outcome.PAID}

    account.refresh_from_db()
    assert (shop.confirmed, account.available) == ([("order-1", 245_000)], 745)
    assert one_pass() == {}


def test_a_pass_takes_over_a_lease_that_ends_while_it_is_refused(shop: FakeShop, khalti: Khalti) -> None:
    """B03, B08: the process that held the lease was killed; the same pass completes the purchase."""
    payment = begin(shop)
    khalti.pay(payment.pidx)
    now = timezone.now()
    Payment.objects.update(lease="of a killed process", leased_until=now + timedelta(seconds=5), last_lookup_at=now)

    with time_machine.travel(now, tick=False) as clock:

        def the_lease_ends(execute: Any, sql: str, *args: Any) -> Any:
            result = execute(sql, *args)
            if sql.startswith("UPDATE") and "leased_until" in sql:
                clock.move_to(now + timedelta(seconds=6))
            return result

        with connection.execute_wrapper(the_lease_ends):
            assert one_pass() == {"order-1": Outcome.PAID}

    assert shop.confirmed == [("order-1", 250_000)]


def test_an_abandoned_purchase_is_released_once_khalti_says_expired(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """E08: never on a timer alone."""
    payment = begin(shop, member_id=account.member_id, points_redeemed=Points(500))
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        pending = one_pass(), Purchase.objects.get().state
        khalti.says(payment.pidx, "Expired")
        expired = one_pass()

    account.refresh_from_db()
    assert (pending, expired) == (({"order-1": Outcome.CONFIRMING}, "open"), {"order-1": Outcome.EXPIRED})
    assert (account.available, shop.customer_was_present) == (1000, [False])


def test_a_payment_without_a_payment_page_is_released_without_a_call(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """B05"""
    begin(shop, member_id=account.member_id, points_redeemed=Points(500))
    Payment.objects.update(state="created", pidx=None, created_at=timezone.now() - timedelta(seconds=71))

    assert one_pass() == {"order-1": Outcome.FAILED}

    account.refresh_from_db()
    assert (account.available, shop.released, khalti.looked_up) == (1000, [("order-1", "refused")], [])
    assert one_pass() == {}


def test_a_released_payment_is_polled_for_seven_days_after_its_link_expired(shop: FakeShop, khalti: Khalti) -> None:
    """E01: I3"""
    payment = begin(shop)
    khalti.says(payment.pidx, "Expired")
    flow.verify_payment(payment)
    payment.refresh_from_db()
    assert payment.expires_at

    with time_machine.travel(payment.expires_at + timedelta(days=7, seconds=1)):
        too_late = one_pass()
    khalti.pay(payment.pidx)
    with time_machine.travel(payment.expires_at + timedelta(days=6, hours=23)):
        late = one_pass()

    assert (too_late, late) == ({}, {"order-1": Outcome.PAID})


def test_the_lease_of_a_dead_process_is_waited_for(shop: FakeShop, khalti: Khalti) -> None:
    """B03, B04"""
    payment = begin(shop)
    khalti.pay(payment.pidx)
    polling.acquire_lease(payment, seconds=0.5)

    assert one_pass() == {"order-1": Outcome.PAID}


def test_a_plain_pass_ignores_back_off(shop: FakeShop, khalti: Khalti) -> None:
    payment = begin(shop)
    flow.verify_payment(payment)
    khalti.pay(payment.pidx)

    assert flow.verify_payment(payment) is Outcome.CONFIRMING
    assert one_pass() == {"order-1": Outcome.PAID}


def test_a_payment_that_cannot_be_looked_up_does_not_stop_the_others(
    shop: FakeShop, khalti: Khalti, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """G04: one has no answer, one has an unreadable cart."""
    payments = [begin(shop, f"order-{number}") for number in range(3)]
    for payment in payments:
        khalti.pay(payment.pidx)
    Purchase.objects.filter(ref="order-1").update(cart={"broken": True}, member_id="7")
    khalti.next_lookup = [requests.ConnectionError("refused")]

    outcomes = one_pass()

    assert outcomes == {"order-0": Outcome.CONFIRMING, "order-1": Outcome.FLAGGED, "order-2": Outcome.PAID}


def test_an_unexpected_error_is_logged_and_the_others_continue(
    shop: FakeShop, khalti: Khalti, caplog: pytest.LogCaptureFixture
) -> None:
    """G04"""
    for number in range(2):
        khalti.pay(begin(shop, f"order-{number}").pidx)
    Payment.objects.filter(purchase__ref="order-0").update(state="released", pidx=None, release_reason="impossible")

    assert one_pass() == {"order-0": None, "order-1": Outcome.PAID}
    assert "ValueError in" in caplog.text
    assert "impossible" not in caplog.text  # the text of an exception may contain personal data


def test_a_basket_that_the_shop_could_not_restore_is_restored_later(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    shop.fail("release", RuntimeError("a bug of the shop's"))
    khalti.next_initiate = [(503, {}, "")]
    with pytest.raises(CannotPay):
        begin(shop, member_id=account.member_id, points_redeemed=Points(500))
    account.refresh_from_db()
    held = account.held

    one_pass()

    account.refresh_from_db()
    assert (held, account.available, account.held) == (500, 1000, 0)
    assert shop.released == [("order-1", "refused")]


def test_failed_messages_are_sent_by_the_next_pass(shop: FakeShop, khalti: Khalti) -> None:
    """G07"""
    sent.clear()
    message = outbox.post("no.such.place.yet", word="hello")
    Message.objects.filter(pk=message.pk).update(function=f"{__name__}.send")

    one_pass()

    assert sent == ["hello"]


def test_five_concurrent_reconcilers_settle_each_payment_once(shop: FakeShop, khalti: Khalti) -> None:
    """G01"""
    for number in range(4):
        khalti.pay(begin(shop, f"order-{number}").pidx)

    passes = [flow.ReconcilerPass() for _ in range(5)]

    at_once(5, lambda index: list(passes[index]))

    assert sorted(shop.confirmed) == [(f"order-{number}", 250_000) for number in range(4)]
    assert sorted(khalti.looked_up) == [f"pidx{number}" for number in range(1, 5)]


def test_it_refuses_to_run_inside_a_transaction(shop: FakeShop) -> None:
    with transaction.atomic(), pytest.raises(InsideTransaction):
        one_pass()
