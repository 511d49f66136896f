"""Whatever fails on the way, something still looks at the payment, and somebody can still decide: nothing is stuck."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotDecide, CannotErase, CannotPay, CannotRefund, ShopCannot
from loyalink_khalti.flow import Decision, payers
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import watch
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import State
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, stands

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SILENCE = requests.ReadTimeout("silence")
FAULT = RuntimeError("the shop is ill")
NO_KEY = (401, {}, '{"detail": "Invalid token."}')


@contextmanager
def after(**time: float) -> Iterator[None]:
    with time_machine.travel(timezone.now() + timedelta(**time)):
        yield


def one_pass(*, due_only: bool = False) -> None:
    for _looked in flow.reconcile(due_only=due_only):
        pass


def flag_of(payment: Payment) -> Flag:
    return Flag.objects.select_related("payment__purchase").get(payment=payment, resolved_at=None)


def decide(flag: Flag, decision: Decision, **more: Any) -> Flag:
    return flow.decide(flag, decision, by="31", reason="seen in Khalti's dashboard", **more)


def part_refunded(khalti: Khalti, payment: Payment) -> None:
    khalti.says(payment.pidx, "Partially Refunded", transaction_id=f"T-{payment.pidx}", refunded=True)


def all_is_well() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    return not Flag.objects.filter(resolved_at=None).exists()


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    khalti.pay(payment.pidx)
    flow.finish(payment)
    payment.refresh_from_db()
    return payment


@pytest.fixture
def sold_out(payment: Payment, khalti: Khalti, shop: FakeShop) -> Payment:
    """The money has come, the goods are gone."""
    shop.fail("confirm", ShopCannot("sold_out"))
    khalti.pay(payment.pidx)
    flow.finish(payment)
    return payment


def back(purchase: Purchase, goods: int, *, key: str = "click") -> Refund:
    return flow.undo(purchase, goods=Paisa(goods), shipping=Paisa(0), key=key, by="31")


# Something looks at it again


def test_goods_of_a_payment_given_back_are_let_go_of_once_the_shop_can(sold_out: Payment, shop: FakeShop) -> None:
    """I3, I7"""
    shop.fail("release", FAULT)
    decide(flag_of(sold_out), Decision.REFUND)
    assert stands(sold_out) == ("refunded", "open")

    with after(days=2):
        one_pass(due_only=True)

    assert stands(sold_out) == ("refunded", "released")
    assert all_is_well()


def test_a_full_refund_that_the_shop_failed_to_carry_is_carried_by_the_next_pass(
    paid: Payment, shop: FakeShop
) -> None:
    """I3: the money is back, the books say so a little later."""
    shop.fail("reverse", FAULT)
    back(paid.purchase, 250_000)
    assert Refund.objects.get().carried_at is None

    one_pass(due_only=True)

    assert Refund.objects.get().carried_at is not None
    assert all_is_well()


def test_a_refund_of_an_old_order_that_nobody_knows_of_is_looked_after_until_it_is_known(
    paid: Payment, khalti: Khalti
) -> None:
    """F03: forty days old, so that nothing else looks at the payment any more; and the first look is lost too."""
    with after(days=31):
        one_pass(due_only=True)
    with after(days=40):
        khalti.next_refund.append(SILENCE)
        assert back(paid.purchase, 100_000).state == "unknown"
        part_refunded(khalti, paid)
        khalti.next_lookup.append(SILENCE)
        one_pass()

    with after(days=42):
        one_pass(due_only=True)

    assert Refund.objects.get().state == "done"
    assert all_is_well()


def test_one_basket_that_the_shop_cannot_take_back_keeps_no_other_waiting(shop: FakeShop, khalti: Khalti) -> None:
    """I3"""
    shop.fail("release", *[FAULT] * 100)
    khalti.next_initiate.append(SILENCE)
    with pytest.raises(CannotPay):
        flow.begin(shop.freeze(shop.cart("order-bad")))
    good = flow.begin(shop.freeze(shop.cart("order-good")))
    khalti.pay(good.pidx)

    for minutes in range(2, 30, 2):
        with after(minutes=minutes):
            flow.nudge()

    assert stands(good) == ("fulfilled", "placed")


def test_a_basket_that_cannot_be_given_back_for_a_month_is_given_back_when_it_can(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """I3: longer than an expired payment is looked at."""
    shop.fail("release", *[FAULT] * 8)
    khalti.says(payment.pidx, "Expired")
    for days in range(8):
        with after(days=days, minutes=59):
            one_pass()
    assert stands(payment) == ("released", "open")

    with after(days=30):
        one_pass(due_only=True)

    assert stands(payment) == ("released", "released")
    assert all_is_well()


@pytest.mark.parametrize("state", sorted(State))
def test_a_payment_whose_purchase_holds_goods_is_looked_at_for_ever(payment: Payment, state: State) -> None:
    """I3"""
    payment.tries, payment.paid_at = watch.TRIES, timezone.now()

    with after(days=400):
        assert watch.next_look(payment, state, failures=20) < timezone.now() + timedelta(days=2)


# Somebody can decide


def test_that_a_refund_was_made_is_not_believed_while_khalti_says_that_nothing_went_back(
    paid: Payment, khalti: Khalti
) -> None:
    """F03, I2: the books would say that the money is back, and nothing would look again."""
    khalti.next_refund.append(SILENCE)
    refund = back(paid.purchase, 250_000)
    khalti.pay(paid.pidx)

    with pytest.raises(CannotDecide, match="nothing went back"):
        decide(flag_of(paid), Decision.MADE)

    refund.refresh_from_db()
    assert (refund.state, stands(paid)) == ("unknown", ("fulfilled", "placed"))
    khalti.next_lookup.append(SILENCE)  # then a person's word is all there is
    decide(flag_of(paid), Decision.MADE)
    assert stands(paid) == ("refunded", "placed")
    assert all_is_well()


def test_a_part_that_nobody_has_told_of_yet_is_told_of_before_more_is_given_back(
    paid: Payment, khalti: Khalti
) -> None:
    """F06: else it would be taken for ours."""
    part_refunded(khalti, paid)
    one_pass()

    with pytest.raises(CannotRefund, match="say first how much it was"):
        back(paid.purchase, 100_000)

    decide(flag_of(paid), Decision.AMOUNT, cash=Paisa(50_000))
    assert back(paid.purchase, 100_000).state == "done"
    assert all_is_well()


def test_of_a_part_refunded_before_the_goods_staff_say_how_much_it_was_and_give_the_rest_back(
    payment: Payment, khalti: Khalti
) -> None:
    """F06, I3"""
    part_refunded(khalti, payment)
    one_pass()
    flag = flag_of(payment)
    assert flow.choices(flag) == (Decision.AMOUNT,)
    decide(flag, Decision.AMOUNT, cash=Paisa(50_000))

    rest = flag_of(payment)
    assert (rest.evidence, flow.choices(rest)) == ({"rest": payment.amount - 50_000}, (Decision.REFUND,))
    decide(rest, Decision.REFUND)

    assert stands(payment) == ("refunded", "released")
    assert [body["amount"] for _transaction, body in khalti.refunded] == [payment.amount - 50_000]
    assert all_is_well()


def test_a_payment_whose_key_was_revoked_for_good_can_be_given_up(payment: Payment, khalti: Khalti) -> None:
    """C11"""
    khalti.next_lookup.append(NO_KEY)
    one_pass()
    flag = flag_of(payment)
    assert (flag.reason, Decision.GIVE_UP in flow.choices(flag)) == ("key_refused", True)

    decide(flag, Decision.GIVE_UP)

    assert stands(payment) == ("released", "released")
    assert all_is_well()


def test_money_that_khaltis_dashboard_does_not_show_holds_no_goods_for_ever(payment: Payment, khalti: Khalti) -> None:
    """I2: the answer was about another payment."""
    khalti.says(payment.pidx, "Completed", pidx="another", transaction_id="T-x")
    one_pass()

    decide(flag_of(payment), Decision.GIVE_UP)

    assert stands(payment) == ("released", "released")
    assert all_is_well()


def test_more_than_was_asked_for_accepted_and_then_given_back_in_the_dashboard_is_carried(
    payment: Payment, khalti: Khalti
) -> None:
    """F06: what was too much was for no goods."""
    more = payment.amount + 5_000
    khalti.pay(payment.pidx, total_amount=more)
    one_pass()
    decide(flag_of(payment), Decision.ACCEPT)
    assert stands(payment) == ("fulfilled", "placed")

    khalti.says(payment.pidx, "Refunded", transaction_id=f"T-{payment.pidx}", refunded=True, total_amount=more)
    one_pass()

    payment.refresh_from_db()
    assert (payment.state, payment.refunded) == ("refunded", more)
    assert audit()["ok"], audit()["violations"]


def test_a_refund_that_is_not_in_the_shops_books_yet_cannot_be_put_aside(paid: Payment, shop: FakeShop) -> None:
    """I3: else no later refund of the order would be possible, and nobody would know why."""
    shop.fail("reverse", *[FAULT] * 3)
    back(paid.purchase, 100_000)

    assert flow.choices(flag_of(paid)) == ()
    with pytest.raises(CannotDecide, match="the next pass of khalti_reconcile tries again"):
        decide(flag_of(paid), Decision.DISMISS)


def test_money_that_staff_have_decided_about_keeps_nobody_from_being_forgotten(
    payment: Payment, khalti: Khalti
) -> None:
    """L05"""
    flow.start_again(payment)
    khalti.pay(payment.pidx)
    flow.finish(payment, insist=True)
    with pytest.raises(CannotErase, match="see to its flag"):
        payers.erase(payers.member("7"))

    decide(flag_of(payment), Decision.DISMISS)

    assert payers.erase(payers.member("7")).purchases == 1
