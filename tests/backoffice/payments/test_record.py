"""Staff record a refund of Khalti's dashboard on a page, and answer a resolved flag again."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Flag, Payment, Refund
from tests.backoffice.pages import page_text
from tests.backoffice.payments.test_page import logged
from tests.backoffice.payments.test_refund import limit
from tests.backoffice.staff import Desk, accountant, staff_user
from tests.purchases import Khalti, states_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sampled]

RECORD = "loyalink_khalti_payment_record_refund"
FLAG = "loyalink_khalti_flag_resolve"
REVERSE = "loyalink_khalti_refund_reverse"


def form(**changes: Any) -> dict[str, Any]:
    made_on = day_of(timezone.now()).isoformat()
    shown = {"amount": "980", "made_on": made_on, "reason": "As the dashboard shows.", "seen_refund": "0"}
    return shown | {"key": "k", "confirm": "1"} | changes


def test_the_form_says_that_khalti_reports_no_second_partial_refund(desk: Desk, paid: Payment) -> None:
    """M3"""
    assert desk.page(paid).find("a", string="Record a refund made outside")

    text = page_text(desk.open(RECORD, paid.pk))

    assert "neither its amount nor a second part" in text
    assert "Rs 2,450.00 of this payment is left" in text


def test_the_preview_says_what_follows_and_records_nothing(desk: Desk, paid: Payment) -> None:
    """M3"""
    page = desk.post(RECORD, paid.pk, **{**form(), "confirm": ""} | {"key": ""})

    assert "Rs 980.00 counts as refunded, Rs 980.00 in all. No money moves" in page_text(page)
    assert "Points returned: 200. Points reversed: 98." in page_text(page)
    assert Refund.objects.count() == 0


def test_a_confirmed_record_is_shown_with_who_and_why(desk: Desk, paid: Payment) -> None:
    """M3"""
    page = desk.post(RECORD, paid.pk, **form())

    assert "The refund of Rs 980.00 is recorded." in page_text(page)
    assert "As the dashboard shows." in page_text(page)
    assert states_of(paid) == ("partially_refunded", "placed")
    assert logged() == [("loyalink_khalti.record_refund", "Refund of Rs 980.00 recorded", "maya")]


def test_a_form_that_is_sent_twice_is_logged_once_and_not_refused_for_the_limit(desk: Desk, paid: Payment) -> None:
    """M30"""
    limit(100_000)
    for _click in range(2):
        assert "The refund of Rs 980.00 is recorded." in page_text(desk.post(RECORD, paid.pk, **form()))
    wrong = Refund.objects.get()
    for _click in range(2):
        desk.post(REVERSE, paid.pk, wrong.pk, reason="Not there.", seen_refund=str(wrong.pk))

    done = [action.partition(".")[2] for action, _text, _user in logged()]
    assert sorted(done) == ["record_refund", "reverse_refund"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount": "0"}, "more than 0"),
        ({"amount": "-5"}, "more than 0"),
        ({"amount": "abc"}, "Enter an amount in rupees"),
        ({"amount": "2450.01", "key": ""}, "Only Rs 2,450.00 can be refunded"),
        ({"amount": "2450.01"}, "Only Rs 2,450.00 can be refunded"),
        ({"made_on": "2099-01-01"}, "in the future"),
        ({"made_on": "yesterday"}, "Enter a valid date"),
        ({"reason": " "}, "Enter a reason"),
        ({"seen_refund": "1,0"}, "This form is incomplete"),
        ({"seen_refund": ""}, "This form is incomplete"),
    ],
)
def test_bad_input_ends_in_a_sentence_and_records_nothing(
    desk: Desk, paid: Payment, changes: dict[str, str], says: str
) -> None:
    """M3"""
    page = desk.post(RECORD, paid.pk, **form(**changes))

    assert says in page_text(page)
    assert Refund.objects.count() == 0


def test_the_same_form_sent_twice_is_recorded_once(desk: Desk, paid: Payment) -> None:
    """M3"""
    desk.post(RECORD, paid.pk, **form())
    page = desk.post(RECORD, paid.pk, **form())

    assert "is recorded" in page_text(page)
    assert Refund.objects.count() == 1


def test_a_refund_made_meanwhile_asks_to_look_again(desk: Desk, paid: Payment) -> None:
    """M3"""
    desk.post(RECORD, paid.pk, **form())
    page = desk.post(RECORD, paid.pk, **form(key="other"))

    assert "Another refund was made in the meantime." in page_text(page)
    assert Refund.objects.count() == 1


def test_nothing_is_recorded_above_the_limit_or_without_the_permission(desk: Desk, paid: Payment) -> None:
    """M3: the permission may have been removed while the form was open."""
    limit(50_000)
    kept = desk.post(RECORD, paid.pk, **form())
    assert "Rs 500.00" in page_text(kept.select_one(".w-field__errors, .error-message"))
    clerk = Desk(staff_user("clerk", "view_payment", "change_refund"))
    clerk.open(RECORD, paid.pk)
    clerk.user.user_permissions.remove(Permission.objects.get(codename="change_refund"))
    clerk.post(RECORD, paid.pk, status=403, **form())

    assert Refund.objects.count() == 0
    Desk(accountant()).post(RECORD, paid.pk, **form())
    assert Refund.objects.count() == 1


def test_a_wrong_record_is_taken_back_on_the_page_with_a_reason(desk: Desk, paid: Payment) -> None:
    """M3: the page says what follows before it is confirmed."""
    desk.post(RECORD, paid.pk, **form())
    refund = Refund.objects.get()
    url = desk.page(paid).find("a", string="Was not made")["href"]
    page = desk.open(REVERSE, paid.pk, refund.pk)

    assert url.endswith(f"/refunds/{refund.pk}/reverse/")
    assert "The refund of Rs 980.00 counts as not made, and the amount can be refunded again." in page_text(page)
    assert "Points used again: 200. Points earned again: 98." in page_text(page)
    seen = page.find("input", {"name": "seen_refund"})["value"]
    empty = desk.post(REVERSE, paid.pk, refund.pk, reason=" ", seen_refund=seen)
    done = desk.post(REVERSE, paid.pk, refund.pk, reason="Typed wrongly.", seen_refund=seen)
    again = desk.post(REVERSE, paid.pk, refund.pk, reason="Typed wrongly.", seen_refund=seen)

    assert "Enter a reason" in page_text(empty)
    assert "The refund of Rs 980.00 counts as not made." in page_text(done)
    assert "Refund of Rs 980.00 was not made: taken back" in page_text(done)
    assert done.find("a", string="Was not made") is None
    assert "counts as not made" in page_text(again)
    assert (states_of(paid), Refund.objects.count()) == (("fulfilled", "placed"), 2)


def test_a_refund_that_khalti_confirmed_is_not_offered_as_not_made(desk: Desk, paid: Payment) -> None:
    """M3"""
    desk.post("loyalink_khalti_payment_refund", paid.pk, amount="1000", key="k", seen_refund="0", confirm="1")
    refund = Refund.objects.get()

    assert desk.page(paid).find("a", string="Was not made") is None
    page = desk.open(REVERSE, paid.pk, refund.pk, status=302)
    assert page is not None
    desk.post(REVERSE, paid.pk, refund.pk, reason="No.", seen_refund=str(refund.pk))
    desk.open(REVERSE, paid.pk, refund.pk + 1, status=404)

    assert (states_of(paid)[0], Refund.objects.count()) == ("partially_refunded", 1)


@pytest.fixture
def closed(desk: Desk, waiting: Payment, khalti: Khalti) -> Flag:
    """A payment that arrived after its cancellation; staff have closed its flag."""
    flow.cancel_payment(waiting, customer_present=False)
    khalti.pay(waiting.pidx)
    flow.verify_payment(waiting, ignore_back_off=True)
    flag = Flag.objects.get()
    desk.post(FLAG, flag.pk, resolution="close", reason="They do not answer.", confirm="1")
    flag.refresh_from_db()
    return flag


def test_closing_says_that_the_customer_gets_nothing_before_it_is_confirmed(
    desk: Desk, waiting: Payment, khalti: Khalti
) -> None:
    """M1"""
    flow.cancel_payment(waiting, customer_present=False)
    khalti.pay(waiting.pidx)
    flow.verify_payment(waiting, ignore_back_off=True)

    page = desk.post(FLAG, Flag.objects.get().pk, resolution="close", reason="They do not answer.")

    assert "The shop keeps Rs 2,450.00, and the customer gets no order for it." in page_text(page)
    assert page.find("button", string="Confirm")
    assert Flag.objects.get().resolved_at is None


def test_the_page_of_closed_money_has_every_way_out(desk: Desk, waiting: Payment, closed: Flag) -> None:
    """M1"""
    page = desk.page(waiting)

    assert "Rs 2,450.00 was captured. No order was placed for it, and it is not refunded." in page_text(page)
    assert page.find("a", string="Answer again")["href"].endswith(f"/khalti/flags/{closed.pk}/resolve/")
    again = desk.open(FLAG, closed.pk)
    assert [option.get_text(" ", strip=True) for option in again.select(".desk-choice")] == [
        "Place the order",
        "Refund the payment at Khalti: Rs 2,450.00 to the customer",
        "Reopen: review it again",
    ]
    assert "They do not answer." in page_text(again)


def test_a_closed_flag_is_answered_again_and_the_history_has_both_answers(
    desk: Desk, waiting: Payment, closed: Flag
) -> None:
    """M1"""
    seen = desk.open(FLAG, closed.pk).find("input", {"name": "seen"})["value"]
    page = desk.post(FLAG, closed.pk, resolution="place_order", reason="They wrote.", seen=seen, confirm="1")

    assert states_of(waiting) == ("fulfilled", "placed")
    assert "They do not answer." in page_text(page)
    assert "They wrote." in page_text(page)


@pytest.mark.parametrize("seen", ["", "yesterday", "2026-01-01T00:00:00+00:00"])
def test_an_answer_of_somebody_who_has_not_seen_the_last_one_is_refused(
    desk: Desk, waiting: Payment, closed: Flag, seen: str
) -> None:
    """M1: two people at once; a guard that cannot read its value refuses."""
    page = desk.post(FLAG, closed.pk, resolution="place_order", reason="They wrote.", seen=seen, confirm="1")

    assert f"Flag {closed.pk} is already resolved." in page_text(page)
    assert states_of(waiting) == ("paid", "released")


def test_closed_money_stays_on_the_list_and_the_dashboard(desk: Desk, waiting: Payment, closed: Flag) -> None:
    """M1"""
    listed = page_text(desk.open("loyalink_khalti_report_review"))
    home = page_text(desk.open("wagtailadmin_home"))
    settlement = page_text(desk.open("loyalink_khalti_report_settlement"))

    assert "Closed, no order, not refunded" in listed
    assert "Place the order · Refund · Reopen" in listed
    assert "1 payment (Rs 2,450.00) was captured, placed no order and is not refunded." in home
    assert "1 payment (Rs 2,450.00) is included but needs review" in settlement
    assert desk.open("loyalink_khalti_payments", needs_review="true").select("td.title a")
    assert not desk.open("loyalink_khalti_payments", needs_review="false").select("td.title a")
