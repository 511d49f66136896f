"""R5: the list and page of unmatched payments: a reason, a preview, a confirmation, one entry in the log."""

from collections.abc import Callable
from typing import Any

import pytest
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.ports import Customer
from loyalink_khalti.testing import FakeShop
from tests.backoffice import staff
from tests.backoffice.pages import page_errors, page_text
from tests.backoffice.staff import Desk
from tests.purchases import Khalti, states_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

PAGE, LIST = "loyalink_khalti_unmatched", "loyalink_khalti_report_unmatched"
PIDX = "bZQLD9wRVWo4CdESSfuSsB"
WHY = "the customer showed the receipt"


@pytest.fixture
def released(begin: Callable[..., Payment], khalti: Khalti) -> Payment:
    """An order of Rs 2,500 whose payment was cancelled at Khalti."""
    payment = begin()
    khalti.says(payment.pidx, "User canceled")
    flow.verify_payment(payment)
    return payment


@pytest.fixture
def row(khalti: Khalti, urls: None) -> UnmatchedPayment:
    khalti.knows(PIDX, 250_000)
    khalti.pay(PIDX)
    flow.keep_return(pidx=PIDX, site_key="default", network="", order_id="N-1001-1")
    list(flow.reconcile())
    return UnmatchedPayment.objects.get()


def entries() -> list[str]:
    return list(ModelLogEntry.objects.order_by("pk").values_list("action", flat=True))


def test_the_dashboard_the_list_and_the_page_show_what_is_known(row: UnmatchedPayment, desk: Desk) -> None:
    home, listed = page_text(desk.open("wagtailadmin_home")), page_text(desk.open(LIST))
    page = page_text(desk.open(PAGE, row.pk))

    assert "Khalti has Rs 2,500.00 for 1 payment that this shop has no record of." in home.replace("\u00a0", " ")
    assert PIDX in listed
    assert "N-1001-1" in listed
    for text in (PIDX, f"T-{PIDX}", "N-1001-1", "It proves nothing", "may belong to another shop"):
        assert text in page


def test_attaching_shows_what_it_does_and_needs_a_second_confirmation(
    row: UnmatchedPayment, released: Payment, desk: Desk, shop: FakeShop
) -> None:
    """R5f"""
    data = {"action": "attach", "order": "N-1001", "reason": WHY}

    preview = page_text(desk.post(PAGE, row.pk, **data))
    before = (UnmatchedPayment.objects.get().state, shop.confirmed, entries())
    page = page_text(desk.post(PAGE, row.pk, confirm="1", **data))

    assert "become a payment of order N-1001 (Sita)" in preview
    assert before == ("found", [], [])
    assert "Attached. The payment is now: Paid." in page
    assert f"Attached to this order {WHY}" in page
    assert "Came back from Khalti as an unmatched payment" in page
    assert states_of(Payment.objects.get(pidx=PIDX)) == ("fulfilled", "placed")
    assert (shop.confirmed, entries()) == ([("N-1001", 250_000)], ["loyalink_khalti.unmatched"])


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ("", "Enter the number of an order of this shop."),
        ("N-9", "Enter the number of an order of this shop."),
        ("N-2002", "The amounts differ"),
    ],
)
def test_an_order_that_does_not_fit_is_an_error_at_its_field(
    order: str, error: str, row: UnmatchedPayment, begin: Callable[..., Payment], desk: Desk
) -> None:
    begin("N-2002", subtotal=250_001, customer=Customer(name="Gita", email="gita@example.com"))

    data = {"action": "attach", "order": order, "reason": WHY, "confirm": "1"}
    response = desk.client.post(f"/admin/khalti/unmatched/{row.pk}/", data)

    assert error in page_errors(response)
    assert UnmatchedPayment.objects.get().state == "found"


def test_a_refund_is_confirmed_sent_once_and_logged_once(row: UnmatchedPayment, desk: Desk, khalti: Khalti) -> None:
    """R5h"""
    data = {"action": "refund", "reason": WHY}

    preview = page_text(desk.post(PAGE, row.pk, **data)).replace("\u00a0", " ")
    sent_before = list(khalti.refunded)
    for _ in range(2):
        desk.post(PAGE, row.pk, confirm="1", **data)

    assert "Khalti refunds Rs 2,500.00 to the customer. That cannot be undone." in preview
    assert (sent_before, khalti.refunded) == ([], [(f"T-{PIDX}", {})])
    assert entries() == ["loyalink_khalti.refund"]
    record = Purchase.objects.get(shop="")
    page = page_text(desk.page(record.payments.get()))
    assert "Refunded" in page


def test_the_record_of_refunded_money_is_on_every_page_of_the_desk(
    row: UnmatchedPayment, desk: Desk, khalti: Khalti
) -> None:
    """R5h: It belongs to no shop: nothing of the desk may fail for it."""
    khalti.next_refund.append((400, {}, '{"detail": "Insufficient balance."}'))
    desk.post(PAGE, row.pk, action="refund", reason=WHY, confirm="1")
    payment = Payment.objects.get()
    flag = payment.flags.get()

    review = page_text(desk.open("loyalink_khalti_report_review"))
    options = page_text(desk.open("loyalink_khalti_flag_resolve", flag.pk))
    for name in ("loyalink_khalti_payments", "loyalink_khalti_report_settlement", "loyalink_khalti_report_unpaid"):
        desk.open(name)
    desk.page(payment)
    desk.open("loyalink_khalti_payment_record_refund", payment.pk)

    assert payment.purchase_order_id in review
    assert "Place the order" not in options
    assert desk.client.get(f"/khalti/status/{payment.token}/").status_code == 200
    assert desk.client.get(f"/khalti/return/{payment.token}/").status_code == 302


def test_another_shops_payment_is_dismissed_and_can_be_reviewed_again(row: UnmatchedPayment, desk: Desk) -> None:
    desk.post(PAGE, row.pk, action="not_ours", reason="our shop in Pokhara", confirm="1")
    page = page_text(desk.open(PAGE, row.pk))
    home = page_text(desk.open("wagtailadmin_home"))
    desk.post(PAGE, row.pk, action="reopen", reason="it is not theirs", confirm="1")

    assert "our shop in Pokhara" in page
    assert "maya@example.com" in page
    assert "no record of" not in home
    assert UnmatchedPayment.objects.get().state == "found"
    assert entries() == ["loyalink_khalti.unmatched"] * 2


def test_without_a_reason_nothing_is_done(row: UnmatchedPayment, desk: Desk, khalti: Khalti) -> None:
    page = page_text(desk.post(PAGE, row.pk, action="refund", reason=" ", confirm="1"))

    assert "Enter a reason" in page
    assert (UnmatchedPayment.objects.get().state, khalti.refunded) == ("found", [])


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        (("view_payment",), 403),
        (("view_payment", "change_flag"), 403),
        (("view_payment", "change_flag", "change_refund"), 302),
    ],
)
def test_a_refund_needs_its_own_permission(
    permissions: tuple[str, ...], status: int, row: UnmatchedPayment, khalti: Khalti
) -> None:
    """R5i"""
    client = Desk(staff.staff_user("prem", *permissions)).client

    answer = client.post(f"/admin/khalti/unmatched/{row.pk}/", {"action": "refund", "reason": WHY, "confirm": "1"})

    assert (answer.status_code, len(khalti.refunded)) == (status, int(status == 302))


def test_nobody_attaches_a_payment_to_their_own_order(
    row: UnmatchedPayment, begin: Callable[..., Payment], desk: Desk, shop: FakeShop
) -> None:
    """M5"""
    begin(customer=Customer(name="Maya", email="maya+shop@example.com"))

    page = page_text(desk.post(PAGE, row.pk, action="attach", order="N-1001", reason=WHY, confirm="1"))

    assert "your own account or order" in page
    assert (UnmatchedPayment.objects.get().state, shop.confirmed) == ("found", [])


def test_the_browsers_claim_cannot_inject_anything(urls: None, desk: Desk) -> None:
    """K01: what was stored by other means is escaped, on the page and in the spreadsheet."""
    row = UnmatchedPayment.objects.create(
        pidx=PIDX, site_key="default", state="found", claimed_order_id="=1+1<script>alert(1)</script>", amount=1
    )

    page = desk.client.get(f"/admin/khalti/unmatched/{row.pk}/").content.decode()
    sheet = b"".join(desk.client.get("/admin/khalti/reports/unmatched/?export=csv").streaming_content).decode()

    assert "<script>alert" not in page
    assert "'=1+1" in sheet


@pytest.mark.parametrize("state", ["waiting", "found", "ended"])
def test_the_list_can_be_filtered_by_status(state: Any, urls: None, desk: Desk) -> None:
    for number, each in enumerate(("waiting", "found", "ended")):
        UnmatchedPayment.objects.create(pidx=f"{each}{number:016}", site_key="default", state=each)

    page = page_text(desk.open(LIST, state=state))

    assert [each for each in ("waiting", "found", "ended") if f"{each}00000" in page] == [state]
