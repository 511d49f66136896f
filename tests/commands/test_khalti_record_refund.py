"""``khalti_record_refund``: what it would do, and with ``--yes`` the record."""

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, states_of

from .conftest import Run

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

WHO = ("--actor", "maya@example.com", "--reason", "as the dashboard shows")


@pytest.fixture
def paid(shop: FakeShop, khalti: Khalti) -> Payment:
    """A guest's order of Rs 2,500, and a member of staff."""
    User.objects.create(username="maya", email="maya@example.com", is_staff=True)
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    return payment


@pytest.mark.parametrize("name", ["order-1-1", "pidx1", "T-pidx1"])
def test_it_says_what_it_would_do_and_records_nothing_without_yes(run: Run, paid: Payment, name: str) -> None:
    """M3"""
    said = run("khalti_record_refund", name, "--rupees", "200", *WHO)

    assert said.startswith("Rs 200.00 counts as refunded, Rs 200.00 in all.")
    assert said.endswith("Nothing was changed: add --yes.\n")
    assert Refund.objects.count() == 0


def test_with_yes_it_records_the_refund(run: Run, paid: Payment) -> None:
    """M3"""
    said = run("khalti_record_refund", "order-1-1", "--rupees", "200", "--yes", *WHO)

    assert "Recorded. The payment is partially_refunded: Rs 200.00 of Rs 2,500.00 are refunded." in said
    assert states_of(paid) == ("partially_refunded", "placed")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("order-1-1", "--rupees", "2500.01"), r"Only Rs 2,500\.00 can be refunded"),
        (("order-1-1", "--rupees", "0"), "more than 0"),
        (("order-1-1", "--rupees", "1", "--on", "2099-01-01"), "in the future"),
        (("order-1-9", "--rupees", "1"), "There is no payment 'order-1-9'"),
    ],
)
def test_what_cannot_be_is_refused(run: Run, paid: Payment, arguments: tuple[str, ...], says: str) -> None:
    """M3"""
    with pytest.raises(CommandError, match=says):
        run("khalti_record_refund", *arguments, "--yes", *WHO)

    assert Refund.objects.count() == 0


def test_a_recorded_refund_is_taken_back(run: Run, paid: Payment) -> None:
    """M3"""
    run("khalti_record_refund", "order-1-1", "--rupees", "200", "--yes", *WHO)
    number = Refund.objects.get().pk

    with pytest.raises(CommandError, match=f"It has: {number}"):
        run("khalti_record_refund", "order-1-1", "--not-made", "999", *WHO)
    dry = run("khalti_record_refund", "order-1-1", "--not-made", number, *WHO)
    done = run("khalti_record_refund", "order-1-1", "--not-made", number, "--yes", *WHO)

    assert dry.endswith("Nothing was changed: add --yes.\n")
    assert done.endswith(f"Refund {number} counts as not made.\n")
    assert states_of(paid) == ("fulfilled", "placed")


def test_a_closed_flag_is_listed_while_its_money_bought_nothing_and_answered_again(
    run: Run, shop: FakeShop, khalti: Khalti
) -> None:
    """M1"""
    User.objects.create(username="maya", email="maya@example.com", is_staff=True)
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    flow.cancel_payment(payment, customer_present=False)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)
    number = Flag.objects.get().pk
    run("khalti_flags", number, "close", *WHO)

    listed = run("khalti_flags")
    with pytest.raises(CommandError, match="already resolved"):
        run("khalti_flags", number, "place_order", *WHO)
    reopened = run("khalti_flags", number, "reopen", "--again", *WHO)
    with pytest.raises(CommandError, match="is open"):
        run("khalti_flags", number, "place_order", "--again", *WHO)
    run("khalti_flags", number, "place_order", *WHO)

    assert "options (with --again): place_order, refund, reopen" in listed
    assert reopened == f"#{number} is open again.\n"
    assert states_of(payment) == ("fulfilled", "placed")
