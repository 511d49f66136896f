"""``khalti_flags``: list the payments to review, and resolve a flag."""

from typing import Any

import pytest
import requests
from django.core.management import CommandError

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay, ShopCannot
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.ports import Customer
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, flags, states_of

from .conftest import Run

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

GITA = Customer(name="Gita", email="gita@example.com", phone="9800000002")
"""Not Sita, who resolves the flags."""
NO_ANSWER = "no answer from /api/merchant-transaction/T-pidx1/refund/ (ConnectionError)"


@pytest.fixture
def mismatched(shop: FakeShop, khalti: Khalti) -> Payment:
    """Khalti captured Rs 1,000 of the Rs 2,500 due."""
    payment = flow.begin_payment(shop.freeze(shop.cart(customer=GITA)))
    khalti.pay(payment.pidx, total_amount=100_000)
    flow.verify_payment(payment)
    return payment


@pytest.fixture
def sold_out(shop: FakeShop, khalti: Khalti) -> Payment:
    """Paid, but the shop has none left."""
    payment = flow.begin_payment(shop.freeze(shop.cart(customer=GITA)))
    khalti.pay(payment.pidx)
    shop.fail("confirm", ShopCannot("sold_out", "Fountain pen is sold out."))
    flow.verify_payment(payment)
    return payment


def number() -> int:
    """The number of the only flag."""
    return Flag.objects.get().pk


def resolve(
    run: Run, resolution: str, *arguments: Any, actor: str = "sita@example.com", reason: str = "as agreed"
) -> str:
    return run("khalti_flags", number(), resolution, "--actor", actor, "--reason", reason, *arguments)


def error_of(run: Run, *arguments: Any) -> str:
    """The message with which the command fails."""
    with pytest.raises(CommandError) as caught:
        run("khalti_flags", *arguments)
    return str(caught.value)


# The list


def test_without_flags_it_says_that_there_is_nothing_to_review(run: Run, shop: FakeShop) -> None:
    assert run("khalti_flags") == "No payments to review.\n"


def test_the_list_shows_reason_evidence_and_options(run: Run, mismatched: Payment) -> None:
    """I16"""
    lines = run("khalti_flags").splitlines()

    assert lines[0] == f"#{number()} order-1-1, Rs 2,500.00, mismatched"
    assert lines[1].endswith(str(REASONS[FlagReason.AMOUNT_MISMATCH]))
    assert "total_amount=Rs 1,000.00" in lines[2]
    assert lines[3] == "    options: accept, refund"
    assert len(lines) == 4


def test_a_resolved_flag_is_not_listed_but_can_be_shown(run: Run, mismatched: Payment, user: Any) -> None:
    resolve(run, "accept", reason="The customer pays the rest in cash")

    shown = run("khalti_flags", number())

    assert run("khalti_flags") == "No payments to review.\n"
    assert "accept, by sita@example.com: The customer pays the rest in cash" in shown


def test_one_flag_is_shown_alone(run: Run, mismatched: Payment, shop: FakeShop) -> None:
    other = Flag.objects.create(payment=mismatched, reason=FlagReason.LATE)

    shown = run("khalti_flags", other.pk)

    assert str(REASONS[FlagReason.LATE]) in shown
    assert str(REASONS[FlagReason.AMOUNT_MISMATCH]) not in shown


def test_the_list_has_no_personal_data(run: Run, mismatched: Payment) -> None:
    """I11: terminals are visible to others and keep their output."""
    listed = run("khalti_flags")

    assert not [private for private in ("Gita", "gita@example.com", "9800000002") if private in listed]


# The resolution


def test_a_mismatched_amount_is_accepted_by_a_named_actor(
    run: Run, mismatched: Payment, shop: FakeShop, user: Any
) -> None:
    """I2, D03"""
    output = resolve(run, "accept", reason=" The customer pays the rest in cash ")

    flag = Flag.objects.get()
    assert output == f"#{flag.pk} is resolved: accept. The payment is fulfilled.\n"
    assert (flag.actor, flag.note) == (str(user.pk), "The customer pays the rest in cash")
    assert (states_of(mismatched), len(shop.confirmed)) == (("fulfilled", "placed"), 1)


def test_the_order_is_placed_once_that_is_possible(run: Run, sold_out: Payment, shop: FakeShop, user: Any) -> None:
    output = resolve(run, "place_order", actor=str(user.pk))

    assert output.endswith("The payment is fulfilled.\n")
    assert states_of(sold_out) == ("fulfilled", "placed")


def test_a_payment_that_bought_nothing_is_refunded(
    run: Run, mismatched: Payment, khalti: Khalti, shop: FakeShop, user: Any
) -> None:
    """F01, I7"""
    khalti.next_refund.append((400, {}, '{"mobile": ["This field is required."]}'))
    with pytest.raises(CommandError, match="This field is required"):
        resolve(run, "refund")

    output = resolve(run, "refund", "--mobile", "+977 980-0000005")

    assert output == f"#{number()} is resolved: refunded. The payment is refunded.\n"
    assert khalti.refunded == [("T-pidx1", {}), ("T-pidx1", {"mobile": "9800000005"})]
    assert states_of(mismatched) == ("refunded", "released")


def test_a_refund_in_khaltis_dashboard_is_recorded(
    run: Run, shop: FakeShop, khalti: Khalti, account: Account, user: Any
) -> None:
    """F06"""
    payment = flow.begin_payment(shop.freeze(shop.cart(shipping=10_000, member_id=account.member_id, customer=GITA)))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    khalti.says(payment.pidx, "Partially Refunded", transaction_id="T-pidx1", refunded=True)
    list(flow.reconcile())

    output = resolve(run, "record_refund", "--rupees", "99.50", "--shipping", "9.50")

    assert (flags(), output.endswith("The payment is partially_refunded.\n")) == (["refunded_at_khalti"], True)
    assert shop.refunded == [("order-1", 9_000, 950)]


def test_a_flag_is_closed_with_a_reason(run: Run, shop: FakeShop, khalti: Khalti, user: Any) -> None:
    khalti.next_initiate = [(400, {}, '{"amount": ["Amount must be less than Rs 1000."]}')]
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart(customer=GITA)))

    assert resolve(run, "close").startswith(f"#{number()} is resolved: close.")


# The errors


def test_an_unknown_flag_number_is_an_error(run: Run, shop: FakeShop) -> None:
    assert error_of(run, 404) == "There is no flag 404."
    assert error_of(run, 404, "close") == "There is no flag 404."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["close"], "--actor is required: the name is kept with the resolution."),
        (["close", "--actor", "nobody@example.com"], "There is no user 'nobody@example.com': neither an e-mail"),
        (["accept", "--actor", "sita@example.com"], "Enter a reason"),
        (["accept", "--actor", "sita@example.com", "--reason", "  "], "Enter a reason"),
        (
            ["close", "--actor", "sita@example.com", "--reason", "x"],
            "A payment that is “mismatched” cannot be resolved like this",
        ),
        (["record_refund", "--actor", "sita@example.com", "--reason", "x"], "cannot be resolved like this"),
        (["shrug", "--actor", "sita@example.com"], "invalid choice: 'shrug'"),
        (["record_refund", "--rupees", "much"], "'much' is not an amount in rupees like 250 or 99.50."),
        (["record_refund", "--rupees", "NaN"], "'NaN' is not an amount in rupees like 250 or 99.50."),
        (["record_refund", "--rupees", "1.005"], "'1.005' is not an amount in rupees like 250 or 99.50."),
    ],
)
def test_an_impossible_resolution_says_why_and_changes_nothing(
    run: Run, mismatched: Payment, user: Any, arguments: list[str], message: str
) -> None:
    assert message in error_of(run, number(), *arguments)

    assert Flag.objects.get().resolved_at is None
    assert states_of(mismatched) == ("mismatched", "open")


def test_a_deleted_user_resolves_nothing(run: Run, mismatched: Payment, account: Account) -> None:
    """The points account still exists, but only users may resolve flags."""
    message = error_of(run, number(), "accept", "--actor", account.member_id, "--reason", "as agreed")

    assert message == "There is no user '7': neither an e-mail address nor a pk."


def test_an_address_of_two_users_is_ambiguous(
    run: Run, mismatched: Payment, user: Any, django_user_model: Any
) -> None:
    other = django_user_model.objects.create_user(username="sita again", email="SITA@example.com")

    message = error_of(run, number(), "accept", "--actor", "sita@example.com", "--reason", "as agreed")

    assert message == (f"2 users have the address sita@example.com; name one by its pk: {user.pk}, {other.pk}.")


def test_a_resolved_flag_is_not_resolved_again(run: Run, mismatched: Payment, user: Any) -> None:
    """Of two members of staff, the slower one gets an error."""
    resolve(run, "accept")

    with pytest.raises(CommandError, match=r"already resolved: “accept”\. Nothing was changed\."):
        resolve(run, "refund")


def test_a_recorded_refund_cannot_exceed_what_was_paid(run: Run, shop: FakeShop, khalti: Khalti, user: Any) -> None:
    """I7"""
    payment = flow.begin_payment(shop.freeze(shop.cart(customer=GITA)))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    khalti.says(payment.pidx, "Partially Refunded", transaction_id="T-pidx1", refunded=True)
    list(flow.reconcile())

    for rupees in ("0", "-5", "2500.01"):
        with pytest.raises(CommandError, match=r"no more than was paid\. Nothing was changed"):
            resolve(run, "record_refund", f"--rupees={rupees}")

    payment.refresh_from_db()
    assert payment.refunded == 0


@pytest.mark.parametrize("detail", ["Fountain pen is sold out.", "Fountain pen is sold out"])
def test_an_order_that_the_shop_cannot_place_is_not_placed_and_the_error_says_why(
    run: Run, sold_out: Payment, shop: FakeShop, user: Any, detail: str
) -> None:
    """I15"""
    shop.fail("confirm", ShopCannot("sold_out", detail))

    with pytest.raises(CommandError) as caught:
        resolve(run, "place_order")

    assert str(caught.value) == "The shop cannot do this: Fountain pen is sold out. Nothing was changed."
    assert (states_of(sold_out), flags()) == (("paid", "open"), ["sold_out"])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            (400, {}, '{"detail": "Transaction refund failed"}'),
            "The refund is refused: Transaction refund failed. The flag stays open.",
        ),
        (
            (400, {}, '{"detail": "Insufficient balance."}'),
            "The refund is refused: Insufficient balance. The flag stays open.",
        ),
        (requests.ConnectionError("refused"), f"The refund is unknown: {NO_ANSWER}. The flag stays open."),
    ],
    ids=["refused", "refused with a full stop", "silent"],
)
def test_a_failed_refund_leaves_the_flag_open_and_says_so(
    run: Run, mismatched: Payment, khalti: Khalti, user: Any, answer: Any, message: str
) -> None:
    """F03, B06"""
    khalti.next_refund = [answer]

    with pytest.raises(CommandError) as caught:
        resolve(run, "refund")

    assert str(caught.value) == message
    assert Flag.objects.get(reason="amount_mismatch").resolved_at is None
    assert states_of(mismatched) == ("mismatched", "open")


def test_only_staff_resolve_flags(run: Run, mismatched: Payment, django_user_model: Any) -> None:
    django_user_model.objects.create_user(username="gita", email="gita@example.com")

    message = error_of(run, number(), "accept", "--actor", "gita@example.com", "--reason", "as agreed")

    assert message == "gita@example.com is not a member of staff."
    assert states_of(mismatched) == ("mismatched", "open")


def test_during_a_refund_there_is_nothing_to_resolve(run: Run, mismatched: Payment, khalti: Khalti, user: Any) -> None:
    khalti.next_refund.append(requests.ReadTimeout("silence"))
    with pytest.raises(CommandError, match="The flag stays open"):
        resolve(run, "refund")

    listed = run("khalti_flags")

    assert "    waiting for an unfinished refund; khalti_reconcile tries again" in listed.splitlines()
    assert "    options: confirm_refund, reject_refund" in listed.splitlines()
