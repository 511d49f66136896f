"""Whatever fails on the way, the payment is polled again or staff can resolve its Flag: nothing is stuck."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotEraseData, CannotPay, CannotRefund, CannotResolve, ShopCannot
from loyalink_khalti.flow import Resolution, audit
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import polling
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import PaymentState
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, states_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

NO_ANSWER = requests.ReadTimeout("silence")
FAULT = RuntimeError("the shop is down")
NO_KEY = (401, {}, '{"detail": "Invalid token."}')


@contextmanager
def after(**time: float) -> Iterator[None]:
    with time_machine.travel(timezone.now() + timedelta(**time)):
        yield


def run_pass(*, due_only: bool = False) -> None:
    for _result in flow.reconcile(due_only=due_only):
        pass


def flag_of(payment: Payment) -> Flag:
    return Flag.objects.select_related("payment__purchase").get(payment=payment, resolved_at=None)


def resolve(flag: Flag, resolution: Resolution, **more: Any) -> Flag:
    return flow.resolve_flag(flag, resolution, actor="31", reason="seen in Khalti's dashboard", **more)


def partially_refunded(khalti: Khalti, payment: Payment) -> None:
    khalti.says(payment.pidx, "Partially Refunded", transaction_id=f"T-{payment.pidx}", refunded=True)


def all_is_well() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    return not Flag.objects.filter(resolved_at=None).exists()


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    return payment


@pytest.fixture
def sold_out(payment: Payment, khalti: Khalti, shop: FakeShop) -> Payment:
    """The money has arrived, the item is sold out."""
    shop.fail("confirm", ShopCannot("sold_out"))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    return payment


def refund_order(purchase: Purchase, subtotal: int, *, key: str = "click") -> Refund:
    return flow.refund_order(purchase, subtotal=Paisa(subtotal), shipping=Paisa(0), key=key, actor="31")


# It is polled again


def test_stock_of_a_refunded_payment_is_released_once_the_shop_can(sold_out: Payment, shop: FakeShop) -> None:
    """I3, I7"""
    shop.fail("release", FAULT)
    resolve(flag_of(sold_out), Resolution.REFUND)
    assert states_of(sold_out) == ("refunded", "open")

    with after(days=2):
        run_pass(due_only=True)

    assert states_of(sold_out) == ("refunded", "released")
    assert all_is_well()


def test_a_full_refund_that_the_shop_failed_to_apply_is_applied_by_the_next_pass(
    paid: Payment, shop: FakeShop
) -> None:
    """I3: the money is refunded, the order is updated a little later."""
    shop.fail("refund", FAULT)
    refund_order(paid.purchase, 250_000)
    assert Refund.objects.get().applied_at is None

    run_pass(due_only=True)

    assert Refund.objects.get().applied_at is not None
    assert all_is_well()


def test_an_unknown_refund_of_an_old_order_is_polled_until_its_result_is_known(paid: Payment, khalti: Khalti) -> None:
    """F03: after forty days the payment is polled for nothing else; and the first lookup is not answered either."""
    with after(days=31):
        run_pass(due_only=True)
    with after(days=40):
        khalti.next_refund.append(NO_ANSWER)
        assert refund_order(paid.purchase, 250_000).state == "unknown"
        khalti.refund(f"T-{paid.pidx}")
        khalti.next_lookup.append(NO_ANSWER)
        run_pass()

    with after(days=42):
        run_pass(due_only=True)

    assert Refund.objects.get().state == "done"
    assert all_is_well()


def test_one_basket_that_the_shop_cannot_release_delays_no_other(shop: FakeShop, khalti: Khalti) -> None:
    """I3"""
    shop.fail("release", *[FAULT] * 100)
    khalti.next_initiate.append(NO_ANSWER)
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart("order-bad")))
    good = flow.begin_payment(shop.freeze(shop.cart("order-good")))
    khalti.pay(good.pidx)

    for minutes in range(2, 30, 2):
        with after(minutes=minutes):
            flow.reconcile_one()

    assert states_of(good) == ("fulfilled", "placed")


def test_a_basket_that_cannot_be_released_for_a_month_is_released_when_it_can(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """I3: longer than an expired payment is polled."""
    shop.fail("release", *[FAULT] * 8)
    khalti.says(payment.pidx, "Expired")
    for days in range(8):
        with after(days=days, minutes=59):
            run_pass()
    assert states_of(payment) == ("released", "open")

    with after(days=30):
        run_pass(due_only=True)

    assert states_of(payment) == ("released", "released")
    assert all_is_well()


@pytest.mark.parametrize("state", sorted(PaymentState))
def test_a_payment_whose_purchase_holds_stock_is_polled_forever(payment: Payment, state: PaymentState) -> None:
    """I3"""
    payment.confirm_attempts, payment.paid_at = polling.CONFIRM_ATTEMPTS, timezone.now()

    with after(days=400):
        wait = polling.next_poll(payment, state, failures=20)

    assert wait is not None
    assert wait < timedelta(days=2)


# Staff can resolve it


def test_a_refund_cannot_be_confirmed_while_khalti_reports_that_nothing_was_refunded(
    paid: Payment, khalti: Khalti
) -> None:
    """F03, I2: else the refund would count as made, and nothing would check again."""
    khalti.next_refund.append(NO_ANSWER)
    refund = refund_order(paid.purchase, 250_000)
    khalti.pay(paid.pidx)

    with pytest.raises(CannotResolve, match="nothing was refunded"):
        resolve(flag_of(paid), Resolution.CONFIRM_REFUND)

    refund.refresh_from_db()
    assert (refund.state, states_of(paid)) == ("unknown", ("fulfilled", "placed"))
    khalti.next_lookup.append(NO_ANSWER)  # then only staff can say so
    resolve(flag_of(paid), Resolution.CONFIRM_REFUND)
    assert states_of(paid) == ("refunded", "placed")
    assert all_is_well()


def test_an_unrecorded_partial_refund_is_recorded_before_more_is_refunded(paid: Payment, khalti: Khalti) -> None:
    """F06: else it could not be distinguished from ours."""
    partially_refunded(khalti, paid)
    run_pass()

    with pytest.raises(CannotRefund, match="Record that amount first"):
        refund_order(paid.purchase, 100_000)

    resolve(flag_of(paid), Resolution.RECORD_REFUND, amount=Paisa(50_000))
    assert refund_order(paid.purchase, 100_000).state == "done"
    assert all_is_well()


def test_staff_record_a_partial_refund_made_before_the_order_and_refund_the_rest(
    payment: Payment, khalti: Khalti
) -> None:
    """F06, I3"""
    partially_refunded(khalti, payment)
    run_pass()
    flag = flag_of(payment)
    assert flow.resolution_options(flag) == (Resolution.RECORD_REFUND,)
    resolve(flag, Resolution.RECORD_REFUND, amount=Paisa(50_000))

    rest = flag_of(payment)
    assert (rest.evidence, flow.resolution_options(rest)) == ({"rest": payment.amount - 50_000}, (Resolution.REFUND,))
    resolve(rest, Resolution.REFUND)

    assert states_of(payment) == ("refunded", "released")
    assert [body["amount"] for _transaction, body in khalti.refunded] == [payment.amount - 50_000]
    assert all_is_well()


def test_a_payment_whose_key_was_revoked_for_good_can_be_released(payment: Payment, khalti: Khalti) -> None:
    """C11"""
    khalti.next_lookup.append(NO_KEY)
    run_pass()
    flag = flag_of(payment)
    assert (flag.reason, Resolution.RECORD_UNPAID in flow.resolution_options(flag)) == ("key_refused", True)
    Payment.objects.update(expires_at=timezone.now())
    khalti.next_lookup.append(NO_KEY)

    resolve(flag, Resolution.RECORD_UNPAID)

    assert states_of(payment) == ("released", "released")
    assert all_is_well()


def test_money_that_khaltis_dashboard_does_not_show_does_not_hold_stock_forever(
    payment: Payment, khalti: Khalti
) -> None:
    """I2: the answer was about another payment."""
    khalti.says(payment.pidx, "Completed", pidx="another", transaction_id="T-x")
    run_pass()

    resolve(flag_of(payment), Resolution.RECORD_UNPAID)

    assert states_of(payment) == ("released", "released")
    assert all_is_well()


def test_an_accepted_surplus_that_is_refunded_in_the_dashboard_is_applied(payment: Payment, khalti: Khalti) -> None:
    """F06: the surplus paid for no product."""
    more = payment.amount + 5_000
    khalti.pay(payment.pidx, total_amount=more)
    run_pass()
    resolve(flag_of(payment), Resolution.ACCEPT)
    assert states_of(payment) == ("fulfilled", "placed")

    khalti.says(payment.pidx, "Refunded", transaction_id=f"T-{payment.pidx}", refunded=True, total_amount=more)
    run_pass()

    payment.refresh_from_db()
    assert (payment.state, payment.refunded) == ("refunded", more)
    assert audit()["ok"], audit()["violations"]


def test_the_flag_of_a_refund_that_is_not_applied_yet_cannot_be_closed(paid: Payment, shop: FakeShop) -> None:
    """I3: else no later refund of the order would be possible, without a visible reason."""
    shop.fail("refund", *[FAULT] * 3)
    refund_order(paid.purchase, 100_000)

    assert flow.resolution_options(flag_of(paid)) == ()
    with pytest.raises(CannotResolve, match="It is checked again automatically"):
        resolve(flag_of(paid), Resolution.CLOSE)


def test_reviewed_money_does_not_stop_the_erasure_of_personal_data(payment: Payment, khalti: Khalti) -> None:
    """L05"""
    flow.cancel_payment(payment, customer_present=False)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)
    with pytest.raises(CannotEraseData, match="resolve its flag"):
        flow.erase_personal_data(flow.member_subject("7"))

    resolve(flag_of(payment), Resolution.CLOSE)

    assert flow.erase_personal_data(flow.member_subject("7")).purchases == 1
