"""The page of a payment shows its history, and refreshes its status at Khalti."""

from collections.abc import Callable
from typing import Any

import pytest
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.ports import Customer
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk, staff_user
from tests.purchases import Khalti, states_of

pytestmark = pytest.mark.django_db(transaction=True)

REFRESH = "loyalink_khalti_payment_refresh"


def history(page: Any) -> list[str]:
    return [line.strong.get_text(strip=True) for line in page.select(".desk-timeline li")]


def logged() -> list[tuple[str, str, str | None]]:
    entries = ModelLogEntry.objects.filter(action__startswith="loyalink_khalti.").order_by("pk")
    return [(entry.action, entry.message, entry.user and entry.user.username) for entry in entries]


def test_the_history_is_in_order(desk: Desk, waiting: Payment, khalti: Khalti) -> None:
    flow.verify_payment(waiting, ignore_back_off=True)
    khalti.pay(waiting.pidx)
    flow.verify_payment(waiting, ignore_back_off=True)

    page = desk.page(waiting)

    assert history(page) == [
        "Checkout started: Rs 2,450.00 to pay (attempt 1)",
        "Payment page opened at Khalti",
        "Khalti's status: Initiated",
        "Khalti's status: Completed",
        "Payment recorded",
        "Order N-N-1001 placed",
    ]
    assert "Points used: 500 · Points earned: 245" in page_text(page)
    assert "Rs 2,449.70" in page_text(page)  # net: Khalti's fee is Rs 0.30


def test_the_history_of_a_late_payment_says_why_it_was_released(desk: Desk, waiting: Payment, khalti: Khalti) -> None:
    khalti.says(waiting.pidx, "Expired")
    flow.verify_payment(waiting, ignore_back_off=True)
    khalti.pay(waiting.pidx)
    flow.verify_payment(waiting, ignore_back_off=True)

    shown = history(desk.page(waiting))

    assert "Not paid: Expired" in shown
    assert shown[-1] == "Order N-N-1001 placed"


def test_a_repeated_answer_of_khalti_is_recorded_once(waiting: Payment, khalti: Khalti) -> None:
    for _repeat in range(3):
        flow.verify_payment(waiting, ignore_back_off=True)
    khalti.says(waiting.pidx, "Pending")
    for _repeat in range(3):
        flow.verify_payment(waiting, ignore_back_off=True)

    waiting.refresh_from_db()

    assert [answer["status"] for answer in waiting.lookup_history] == ["Initiated", "Pending"]


def test_an_answer_about_a_settled_payment_is_recorded_too(paid: Payment, khalti: Khalti) -> None:
    khalti.says(paid.pidx, "Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)
    list(flow.ReconcilerPass())

    paid.refresh_from_db()

    assert [answer["status"] for answer in paid.lookup_history] == ["Completed", "Refunded"]


def test_refreshing_applies_a_payment_made_in_the_meantime(desk: Desk, waiting: Payment, khalti: Khalti) -> None:
    khalti.pay(waiting.pidx)

    page = desk.post(REFRESH, waiting.pk)

    assert "Khalti's status: “Completed”. The payment is now: Paid." in page_text(page)
    assert states_of(waiting) == ("fulfilled", "placed")
    assert logged() == [("loyalink_khalti.refresh", "Khalti's status: Completed", "maya")]


def test_refreshing_a_settled_payment_finds_a_refund_made_at_khalti(
    desk: Desk, paid: Payment, khalti: Khalti, account: Account
) -> None:
    khalti.says(paid.pidx, "Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)

    page = desk.post(REFRESH, paid.pk)

    assert "Khalti's status: “Refunded”. The payment is now: Refunded." in page_text(page)
    account.refresh_from_db()
    assert account.available == 1000


@pytest.mark.parametrize("answer", [(500, {}, ""), (200, {}, "<html>"), (429, {}, "{}")], ids=str)
def test_refreshing_without_an_answer_changes_nothing_and_says_so(
    desk: Desk, waiting: Payment, khalti: Khalti, answer: Any
) -> None:
    khalti.next_lookup.append(answer)

    page = desk.post(REFRESH, waiting.pk)

    assert "Khalti gave no usable answer. Nothing was changed" in page_text(page)
    assert states_of(waiting) == ("initiated", "open")


def test_staff_who_may_only_view_have_no_buttons_and_are_refused(urls: None, paid: Payment, khalti: Khalti) -> None:
    desk = Desk(staff_user("viewer", "view_payment"))
    khalti.looked_up.clear()

    page = desk.page(paid)

    assert not page.select(".desk-actions form")
    assert "refund" not in page_text(page)
    desk.post(REFRESH, paid.pk, status=403)
    desk.open("loyalink_khalti_payment_refund", paid.pk, status=403)
    desk.post("loyalink_khalti_payment_refund", paid.pk, status=403)
    assert khalti.looked_up == []


def test_staff_without_the_permission_see_no_payments(urls: None, paid: Payment, flagged: Payment) -> None:
    desk = Desk(staff_user("painter"))

    page = desk.open("loyalink_khalti_payment", paid.pk, status=403)

    assert "You do not have permission to do this" in page_text(page)
    assert "Sita" not in page_text(page)
    desk.open("loyalink_khalti_payments", status=403)
    desk.open("loyalink_khalti_flag_resolve", Flag.objects.get().pk, status=403)
    assert "Orders and payments" not in [
        item.get_text(strip=True) for item in desk.open("wagtailadmin_home").select("nav a")
    ]


def test_a_script_in_a_name_or_in_khaltis_answer_is_shown_as_text(
    desk: Desk, begin: Callable[..., Payment], khalti: Khalti
) -> None:
    script = "<script>alert(1)</script>"
    payment = begin(customer=Customer(name=script, email=f"{script}@x", phone=script))
    khalti.says(payment.pidx, script)
    flow.verify_payment(payment, ignore_back_off=True)

    page = desk.page(payment)

    assert not page.find("script", string="alert(1)")
    assert page_text(page).count(script) >= 2


def test_a_missing_payment_answers_404(desk: Desk) -> None:
    desk.open("loyalink_khalti_payment", 4711, status=404)
    desk.post(REFRESH, 4711, status=404)
    desk.open("loyalink_khalti_flag_resolve", 4711, status=404)


def test_the_page_of_a_payment_has_no_fields_but_a_note(desk: Desk, paid: Payment) -> None:
    page = desk.page(paid)

    fields = [field.get("name") for field in page.select("main input, main textarea, main select")]
    assert set(fields) <= {"csrfmiddlewaretoken", "note-text", "note-key"}
