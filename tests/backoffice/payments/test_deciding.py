"""A flag is answered on a page: by name, for a reason, once, and by whoever may."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Flag, Payment
from tests.backoffice.staff import accountant, worker
from tests.purchases import Khalti, stands

from .conftest import Desk, words
from .test_giving_back import limit
from .test_page import logged

pytestmark = pytest.mark.django_db(transaction=True)

FLAG = "loyalink_khalti_flag"


@pytest.fixture
def flag(flagged: Payment) -> Flag:
    return Flag.objects.get()


def test_the_payments_page_leads_to_the_decision(desk: Desk, flagged: Payment, flag: Flag) -> None:
    page = desk.page(flagged)

    assert "Khalti took another amount than was asked for." in words(page)
    assert page.find("a", string="Decide")["href"].endswith(f"/khalti/flags/{flag.pk}/")


def test_each_choice_says_what_it_does(desk: Desk, flag: Flag) -> None:
    page = desk.open(FLAG, flag.pk)

    assert [choice.get_text(" ", strip=True) for choice in page.select(".desk-choice")] == [
        "Take the money as it came, and grant the goods.",
        "Give the payment back at Khalti: Rs 2,499.00 go back to the payer.",
    ]


def test_accepted_the_order_is_placed_and_the_story_says_who_and_why(desk: Desk, flagged: Payment, flag: Flag) -> None:
    page = desk.post(FLAG, flag.pk, decision="accept", reason="One rupee is ours to lose.")

    assert "is answered. The payment is: Paid." in words(page)
    assert stands(flagged) == ("fulfilled", "placed")
    assert "One rupee is ours to lose." in words(page)
    assert "by maya@example.com" in words(page)
    done = f"Answer a flag: {flag.pk} (amount_mismatch): accept"
    assert logged() == [("loyalink_khalti.decide", done, "maya")]


def test_without_a_reason_nothing_is_decided(desk: Desk, flagged: Payment, flag: Flag) -> None:
    page = desk.post(FLAG, flag.pk, decision="accept", reason="  ")

    assert "whoever reads this next year" in words(page)
    assert stands(flagged) == ("mismatched", "open")


@pytest.mark.parametrize("decision", ["", "dismiss", "fulfil", "drop table"])
def test_what_cannot_be_decided_is_refused_at_its_field(
    desk: Desk, flagged: Payment, flag: Flag, decision: str
) -> None:
    page = desk.post(FLAG, flag.pk, decision=decision, reason="Because.")

    assert page.select("fieldset .error-message")
    assert stands(flagged) == ("mismatched", "open")


def test_of_two_people_one_is_told_that_the_other_was_quicker(desk: Desk, flagged: Payment, flag: Flag) -> None:
    flow.decide(flag, flow.Decision.ACCEPT, by="99", reason="Mine.")

    page = desk.post(FLAG, flag.pk, decision="refund", reason="No, mine.")

    assert f"Flag {flag.pk} was answered before." in words(page)
    assert stands(flagged) == ("fulfilled", "placed")


def test_given_back_the_page_tells_what_khalti_did(desk: Desk, flagged: Payment, flag: Flag, khalti: Khalti) -> None:
    page = desk.post(FLAG, flag.pk, decision="refund", reason="Not what was agreed.")

    assert "The payment is: Given back." in words(page)
    assert khalti.refunded == [(f"T-{flagged.pidx}", {})]
    assert stands(flagged) == ("refunded", "released")


def test_a_refund_that_khalti_refuses_leaves_the_flag_open(
    desk: Desk, flagged: Payment, flag: Flag, khalti: Khalti
) -> None:
    khalti.next_refund.append((400, {}, '{"detail": "Insufficient balance"}'))

    page = desk.post(FLAG, flag.pk, decision="refund", reason="Not what was agreed.")

    assert "Khalti refused: “Insufficient balance”." in words(page)
    flag.refresh_from_db()
    assert flag.resolved_at is None


def test_who_may_not_give_money_back_is_not_offered_it(
    urls: None, flagged: Payment, flag: Flag, khalti: Khalti
) -> None:
    desk = Desk(worker("clerk", "view_payment", "change_flag"))

    page = desk.open(FLAG, flag.pk)

    assert "Give the payment back" not in words(page)
    desk.post(FLAG, flag.pk, decision="refund", reason="I would like to.", status=403)
    assert khalti.refunded == []


def test_beyond_the_limit_only_who_may_gives_a_payment_back(
    desk: Desk, flagged: Payment, flag: Flag, khalti: Khalti
) -> None:
    limit(100_000)

    page = desk.post(FLAG, flag.pk, decision="refund", reason="Not what was agreed.", status=403)

    assert "You may give back up to Rs 1,000.00" in words(page)
    assert khalti.refunded == []
    Desk(accountant()).post(FLAG, flag.pk, decision="refund", reason="Not what was agreed.")
    assert stands(flagged) == ("refunded", "released")


def test_after_a_silent_refund_staff_say_what_the_dashboard_shows(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    khalti.next_refund.append((504, {}, ""))
    desk.post("loyalink_khalti_payment_refund", paid.pk, amount="1000", key="k", seen="0", confirm="1")
    flag = Flag.objects.get(reason="refund_unknown")
    khalti.says(paid.pidx, "Partially Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)

    page = desk.post(FLAG, flag.pk, decision="made", reason="The dashboard shows Rs 980.")

    assert "The payment is: Partly given back." in words(page)
    assert stands(paid) == ("part_refunded", "placed")


def test_a_part_given_back_at_khalti_is_typed_in_as_rupees(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    khalti.says(paid.pidx, "Partially Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)
    desk.post("loyalink_khalti_payment_ask", paid.pk)
    flag = Flag.objects.get(reason="refunded_at_khalti")

    empty = desk.post(FLAG, flag.pk, decision="amount", reason="As the dashboard shows.")
    too_much = desk.post(FLAG, flag.pk, decision="amount", reason="As the dashboard shows.", cash="2450.01")
    page = desk.post(FLAG, flag.pk, decision="amount", reason="As the dashboard shows.", cash="980")

    assert "more than nothing" in words(empty)
    assert "no more than was paid" in words(too_much)
    assert "The payment is: Partly given back." in words(page)
    paid.refresh_from_db()
    assert paid.refunded == 98_000
