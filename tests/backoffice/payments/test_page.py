"""The page of a payment tells its story, and has Khalti asked when somebody wants to know."""

from collections.abc import Callable
from typing import Any

import pytest
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.ports import Customer
from tests.backoffice.staff import worker
from tests.purchases import Khalti, stands

from .conftest import Desk, words

pytestmark = pytest.mark.django_db(transaction=True)

ASK = "loyalink_khalti_payment_ask"


def told(page: Any) -> list[str]:
    return [line.strong.get_text(strip=True) for line in page.select(".desk-story li")]


def logged() -> list[tuple[str, str, str | None]]:
    entries = ModelLogEntry.objects.filter(action__startswith="loyalink_khalti.").order_by("pk")
    return [(entry.action, entry.message, entry.user and entry.user.username) for entry in entries]


def test_the_story_is_told_in_the_order_in_which_it_happened(desk: Desk, waiting: Payment, khalti: Khalti) -> None:
    flow.finish(waiting, insist=True)
    khalti.pay(waiting.pidx)
    flow.finish(waiting, insist=True)

    page = desk.page(waiting)

    assert told(page) == [
        "“Place order” pressed: Rs 2,450.00 to be paid (attempt 1)",
        "Khalti opened its payment page",
        "Khalti says: Initiated",
        "Khalti says: Completed",
        "The money is written down as paid",
        "Order N-N-1001 placed",
    ]
    assert "500 points spent · 245 points earned" in words(page)
    assert "Rs 2,449.70" in words(page)  # what stays with the shop: 0.30 is Khalti's


def test_what_khalti_says_again_and_again_is_told_once(waiting: Payment, khalti: Khalti) -> None:
    for _again in range(3):
        flow.finish(waiting, insist=True)
    khalti.says(waiting.pidx, "Pending")
    for _again in range(3):
        flow.finish(waiting, insist=True)

    waiting.refresh_from_db()

    assert [said["status"] for said in waiting.heard] == ["Initiated", "Pending"]


def test_what_khalti_says_of_a_settled_payment_is_told_too(paid: Payment, khalti: Khalti) -> None:
    khalti.says(paid.pidx, "Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)
    list(flow.Pass())

    paid.refresh_from_db()

    assert [said["status"] for said in paid.heard] == ["Completed", "Refunded"]


def test_asked_now_khalti_settles_what_was_paid_meanwhile(desk: Desk, waiting: Payment, khalti: Khalti) -> None:
    khalti.pay(waiting.pidx)

    page = desk.post(ASK, waiting.pk)

    assert "Khalti says “Completed”. The payment is: Paid." in words(page)
    assert stands(waiting) == ("fulfilled", "placed")
    assert logged() == [("loyalink_khalti.ask", "Ask Khalti about a payment: Completed", "maya")]


def test_asked_now_about_a_settled_payment_a_refund_made_at_khalti_is_noticed(
    desk: Desk, paid: Payment, khalti: Khalti, account: Account
) -> None:
    khalti.says(paid.pidx, "Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)

    page = desk.post(ASK, paid.pk)

    assert "Khalti says “Refunded”. The payment is: Given back." in words(page)
    account.refresh_from_db()
    assert account.available == 1000


@pytest.mark.parametrize("answer", [(500, {}, ""), (200, {}, "<html>"), (429, {}, "{}")], ids=str)
def test_asked_now_and_silent_nothing_changes_and_the_page_says_so(
    desk: Desk, waiting: Payment, khalti: Khalti, answer: Any
) -> None:
    khalti.next_lookup.append(answer)

    page = desk.post(ASK, waiting.pk)

    assert "Khalti gave no answer that could be used. Nothing was changed" in words(page)
    assert stands(waiting) == ("initiated", "open")


def test_who_may_only_look_has_no_button_and_is_refused(urls: None, paid: Payment, khalti: Khalti) -> None:
    desk = Desk(worker("looker", "view_payment"))
    khalti.asked.clear()

    page = desk.page(paid)

    assert not page.select(".desk-deeds form")
    assert "Give back" not in words(page)
    desk.post(ASK, paid.pk, status=403)
    desk.open("loyalink_khalti_payment_refund", paid.pk, status=403)
    desk.post("loyalink_khalti_payment_refund", paid.pk, status=403)
    assert khalti.asked == []


def test_who_may_not_look_at_payments_sees_none(urls: None, paid: Payment, flagged: Payment) -> None:
    desk = Desk(worker("painter"))

    page = desk.open("loyalink_khalti_payment", paid.pk, status=403)

    assert "You may not do this" in words(page)
    assert "Sita" not in words(page)
    desk.open("loyalink_khalti_payments", status=403)
    desk.open("loyalink_khalti_flag", Flag.objects.get().pk, status=403)
    assert "Payments" not in [item.get_text(strip=True) for item in desk.open("wagtailadmin_home").select("nav a")]


def test_script_in_a_name_or_in_khaltis_answer_is_text(
    desk: Desk, begin: Callable[..., Payment], khalti: Khalti
) -> None:
    script = "<script>alert(1)</script>"
    payment = begin(customer=Customer(name=script, email=f"{script}@x", phone=script))
    khalti.says(payment.pidx, script)
    flow.finish(payment, insist=True)

    page = desk.page(payment)

    assert not page.find("script", string="alert(1)")
    assert words(page).count(script) >= 2


def test_a_payment_that_is_not_there_is_not_found(desk: Desk) -> None:
    desk.open("loyalink_khalti_payment", 4711, status=404)
    desk.post(ASK, 4711, status=404)
    desk.open("loyalink_khalti_flag", 4711, status=404)


def test_nothing_on_the_page_can_be_typed_over(desk: Desk, paid: Payment) -> None:
    page = desk.page(paid)

    fields = [field.get("name") for field in page.select("main input, main textarea, main select")]
    assert set(fields) <= {"csrfmiddlewaretoken"}
