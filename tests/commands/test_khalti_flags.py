"""``khalti_flags``: what waits for a decision, and the decision, in words both ways."""

from typing import Any

import pytest
import requests
from django.core.management import CommandError

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay, ShopCannot
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.states import Reason
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, flags, stands

from .conftest import Run

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

NO_ANSWER = "no answer from /api/merchant-transaction/T-pidx1/refund/ (ConnectionError)"


@pytest.fixture
def mismatched(shop: FakeShop, khalti: Khalti) -> Payment:
    """Khalti took Rs 1,000 where Rs 2,500 were asked for."""
    payment = flow.begin(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx, total_amount=100_000)
    flow.finish(payment)
    return payment


@pytest.fixture
def sold_out(shop: FakeShop, khalti: Khalti) -> Payment:
    """Paid for, and the shop has none left."""
    payment = flow.begin(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)
    shop.fail("confirm", ShopCannot("sold_out", "Fountain pen is sold out."))
    flow.finish(payment)
    return payment


def number() -> int:
    """The number of the one flag there is."""
    return Flag.objects.get().pk


def decide(run: Run, decision: str, *words: Any, actor: str = "sita@example.com", reason: str = "as agreed") -> str:
    return run("khalti_flags", number(), decision, "--actor", actor, "--reason", reason, *words)


def words_of(run: Run, *words: Any) -> str:
    """What the command says no with."""
    with pytest.raises(CommandError) as caught:
        run("khalti_flags", *words)
    return str(caught.value)


# The list


def test_where_nothing_waits_it_says_so(run: Run, shop: FakeShop) -> None:
    assert run("khalti_flags") == "Nothing waits for a decision.\n"


def test_the_list_tells_what_is_wrong_what_is_known_and_what_may_be_decided(run: Run, mismatched: Payment) -> None:
    """I16"""
    lines = run("khalti_flags").splitlines()

    assert lines[0] == f"#{number()} order-1-1, Rs 2,500.00, mismatched"
    assert lines[1].endswith("Khalti took another amount than was asked for.")
    assert "total_amount=Rs 1,000.00" in lines[2]
    assert lines[3] == "    to decide: accept, refund"
    assert len(lines) == 4


def test_what_was_decided_is_not_in_the_list_and_can_be_shown(run: Run, mismatched: Payment, user: Any) -> None:
    decide(run, "accept", reason="The customer pays the rest in cash")

    shown = run("khalti_flags", number())

    assert run("khalti_flags") == "Nothing waits for a decision.\n"
    assert "accept, by sita@example.com: The customer pays the rest in cash" in shown


def test_one_flag_is_shown_alone(run: Run, mismatched: Payment, shop: FakeShop) -> None:
    other = Flag.objects.create(payment=mismatched, reason=Reason.LATE)

    shown = run("khalti_flags", other.pk)

    assert "Paid after the goods were let go of." in shown
    assert "another amount" not in shown


def test_nobody_is_named_in_the_list(run: Run, mismatched: Payment) -> None:
    """I11: it is read over shoulders, and kept in terminals."""
    listed = run("khalti_flags")

    assert not [private for private in ("Sita", "sita@example.com", "9800000001") if private in listed]


# The decision


def test_money_that_came_otherwise_is_accepted_by_a_named_person(
    run: Run, mismatched: Payment, shop: FakeShop, user: Any
) -> None:
    """I2, D03"""
    said = decide(run, "accept", reason=" The customer pays the rest in cash ")

    flag = Flag.objects.get()
    assert said == f"#{flag.pk} is decided: accept. The payment is fulfilled.\n"
    assert (flag.actor, flag.note) == (str(user.pk), "The customer pays the rest in cash")
    assert (stands(mismatched), len(shop.confirmed)) == (("fulfilled", "placed"), 1)


def test_goods_are_granted_once_they_can_be(run: Run, sold_out: Payment, shop: FakeShop, user: Any) -> None:
    said = decide(run, "fulfil", actor=str(user.pk))

    assert said.endswith("The payment is fulfilled.\n")
    assert stands(sold_out) == ("fulfilled", "placed")


def test_a_payment_that_bought_nothing_is_given_back(
    run: Run, mismatched: Payment, khalti: Khalti, shop: FakeShop, user: Any
) -> None:
    """F01, I7"""
    said = decide(run, "refund", "--mobile", "9800000005")

    assert said == f"#{number()} is decided: refunded. The payment is refunded.\n"
    assert khalti.refunded == [("T-pidx1", {"mobile": "9800000005"})]
    assert stands(mismatched) == ("refunded", "released")


def test_what_was_given_back_in_khaltis_dashboard_is_entered(
    run: Run, shop: FakeShop, khalti: Khalti, account: Account, user: Any
) -> None:
    """F06"""
    payment = flow.begin(shop.freeze(shop.cart(shipping=10_000, member_id=account.member_id, spends=Points(0))))
    khalti.pay(payment.pidx)
    flow.finish(payment)
    khalti.says(payment.pidx, "Partially Refunded", transaction_id="T-pidx1", refunded=True)
    list(flow.reconcile())

    said = decide(run, "amount", "--rupees", "99.50", "--shipping", "9.50")

    assert (flags(), said.endswith("The payment is part_refunded.\n")) == (["refunded_at_khalti"], True)
    assert shop.reversed == [("order-1", 9_000, 950)]


def test_it_is_dismissed_with_a_reason(run: Run, shop: FakeShop, khalti: Khalti, user: Any) -> None:
    khalti.next_initiate = [(400, {}, '{"amount": ["Amount must be less than Rs 1000."]}')]
    with pytest.raises(CannotPay):
        flow.begin(shop.freeze(shop.cart()))

    assert decide(run, "dismiss").startswith(f"#{number()} is decided: dismiss.")


# The errors


def test_a_number_that_no_flag_has(run: Run, shop: FakeShop) -> None:
    assert words_of(run, 404) == "There is no flag 404."
    assert words_of(run, 404, "dismiss") == "There is no flag 404."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dismiss"], "Say who decides with --actor; it is written down."),
        (["dismiss", "--actor", "nobody@example.com"], "There is no user 'nobody@example.com': neither an e-mail"),
        (["accept", "--actor", "sita@example.com"], "Say why: whoever reads this next year will want to know."),
        (["accept", "--actor", "sita@example.com", "--reason", "  "], "Say why"),
        (
            ["dismiss", "--actor", "sita@example.com", "--reason", "x"],
            "cannot be decided about a payment that is “mis",
        ),
        (["amount", "--actor", "sita@example.com", "--reason", "x"], "cannot be decided about a payment that is"),
        (["shrug", "--actor", "sita@example.com"], "invalid choice: 'shrug'"),
        (["amount", "--rupees", "much"], "'much' is not an amount in rupees like 250 or 99.50."),
        (["amount", "--rupees", "NaN"], "'NaN' is not an amount in rupees like 250 or 99.50."),
        (["amount", "--rupees", "1.005"], "'1.005' is not an amount in rupees like 250 or 99.50."),
    ],
)
def test_what_cannot_be_decided_is_said_in_words_and_changes_nothing(
    run: Run, mismatched: Payment, user: Any, words: list[str], said: str
) -> None:
    assert said in words_of(run, number(), *words)

    assert Flag.objects.get().resolved_at is None
    assert stands(mismatched) == ("mismatched", "open")


def test_whoever_has_left_decides_nothing(run: Run, mismatched: Payment, account: Account) -> None:
    """An account of points outlives its user; a name in the books does not answer for money."""
    words = words_of(run, number(), "accept", "--actor", account.member_id, "--reason", "as agreed")

    assert words == "There is no user '7': neither an e-mail address nor a pk."


def test_an_address_of_two_users_is_nobodys(run: Run, mismatched: Payment, user: Any, django_user_model: Any) -> None:
    other = django_user_model.objects.create_user(username="sita again", email="SITA@example.com")

    words = words_of(run, number(), "accept", "--actor", "sita@example.com", "--reason", "as agreed")

    assert words == (f"2 users have the address sita@example.com; name one by its pk: {user.pk}, {other.pk}.")


def test_what_was_decided_before_is_not_decided_again(run: Run, mismatched: Payment, user: Any) -> None:
    """Of two people one is told that the other was quicker."""
    decide(run, "accept")

    with pytest.raises(CommandError, match=r"decided before: “accept”\. Nothing was changed\."):
        decide(run, "refund")


def test_more_than_was_paid_cannot_have_been_given_back(run: Run, shop: FakeShop, khalti: Khalti, user: Any) -> None:
    """I7"""
    payment = flow.begin(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)
    flow.finish(payment)
    khalti.says(payment.pidx, "Partially Refunded", transaction_id="T-pidx1", refunded=True)
    list(flow.reconcile())

    for rupees in ("0", "-5", "2500.01"):
        with pytest.raises(CommandError, match=r"no more than was paid\. Nothing was changed"):
            decide(run, "amount", f"--rupees={rupees}")

    payment.refresh_from_db()
    assert payment.refunded == 0


@pytest.mark.parametrize("detail", ["Fountain pen is sold out.", "Fountain pen is sold out"])
def test_goods_that_the_shop_cannot_grant_stay_ungranted_and_it_says_why(
    run: Run, sold_out: Payment, shop: FakeShop, user: Any, detail: str
) -> None:
    """I15"""
    shop.fail("confirm", ShopCannot("sold_out", detail))

    with pytest.raises(CommandError) as caught:
        decide(run, "fulfil")

    assert str(caught.value) == "The shop cannot do this: Fountain pen is sold out. Nothing was changed."
    assert (stands(sold_out), flags()) == (("paid", "open"), ["sold_out"])


@pytest.mark.parametrize(
    ("answer", "words"),
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
def test_a_refund_that_khalti_did_not_make_leaves_the_flag_open_and_says_so(
    run: Run, mismatched: Payment, khalti: Khalti, user: Any, answer: Any, words: str
) -> None:
    """F03, B06"""
    khalti.next_refund = [answer]

    with pytest.raises(CommandError) as caught:
        decide(run, "refund")

    assert str(caught.value) == words
    assert Flag.objects.get(reason="amount_mismatch").resolved_at is None
    assert stands(mismatched) == ("mismatched", "open")


def test_only_staff_decide(run: Run, mismatched: Payment, django_user_model: Any) -> None:
    django_user_model.objects.create_user(username="gita", email="gita@example.com")

    words = words_of(run, number(), "accept", "--actor", "gita@example.com", "--reason", "as agreed")

    assert words == "gita@example.com is not one of the shop's staff."
    assert stands(mismatched) == ("mismatched", "open")


def test_while_it_is_being_given_back_there_is_nothing_to_decide(
    run: Run, mismatched: Payment, khalti: Khalti, user: Any
) -> None:
    khalti.next_refund.append(requests.ReadTimeout("silence"))
    with pytest.raises(CommandError, match="The flag stays open"):
        decide(run, "refund")

    listed = run("khalti_flags")

    assert "    waits for a refund that is not finished; khalti_reconcile tries again" in listed.splitlines()
    assert "    to decide: made, not_made" in listed.splitlines()
