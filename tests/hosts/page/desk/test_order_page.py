"""The page of an order: its money, and what staff do about it, each with its limits and its guard."""

from dataclasses import replace
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.hosts.page.basket import Item
from loyalink_khalti.hosts.page.models import Order
from loyalink_khalti.mail_rows import SentMail
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Refund
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.simulator import Simulator
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk
from tests.hosts.page.conftest import SITA, TeaHouse, basket_of

from .conftest import Place, purchase_of, send, status_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]
PAGE = "loyalink_khalti_page_order"


def receive(desk: Desk, order: Order, amount: str, **more: str) -> Any:
    """Record money with the form as the page shows it."""
    form = desk.open(PAGE, order.pk).select_one("form[action$='/received/']:has([name='received-amount'])")
    assert form is not None
    data = {str(field["name"]): str(field.get("value", "")) for field in form.select("input[name]")}
    data.pop("csrfmiddlewaretoken")
    return send(desk, f"{PAGE}_received", order.pk, {**data, "received-amount": amount, "received": "record", **more})


def test_the_page_shows_products_customer_and_money(desk: Desk, place: Place, house: TeaHouse) -> None:
    hat = house.trek("Felt hat", stock=5, needs_delivery=True)
    order = place(hat, quantity=2, details=replace(SITA, delivery=house.courier))
    order.note = "Ring twice"
    order.save()
    hat.delete()

    shown = page_text(desk.open(PAGE, order.pk))

    for text in ("Rs 1,150.00", "Felt hat", "page deleted", "Naxal Marga 7", "Courier", "Ring twice", "9841234567"):
        assert text in shown, text
    assert "Placed, not paid yet" in shown


def test_cash_is_recorded_in_parts_and_an_entry_can_be_reversed(desk: Desk, order: Order) -> None:
    receive(desk, order, "Rs 400")
    assert status_of(order) == "pending"
    refused = receive(desk, order, "१२००")
    assert "is left to pay, and this is" in page_text(refused)
    receive(desk, order, "600")
    assert (status_of(order), order.paid) == ("paid", 100_000)

    entry = purchase_of(order).received_money.order_by("pk").first()
    assert entry is not None
    desk.post(f"{PAGE}_received", order.pk, received="reverse", entry=str(entry.pk), reason="Counted twice")

    assert (status_of(order), order.paid) == ("pending", 60_000)
    assert "Counted twice" in page_text(desk.open(PAGE, order.pk))
    assert ModelLogEntry.objects.filter(action__startswith="loyalink_khalti.").count() == 3


def test_a_form_that_a_colleague_has_overtaken_records_nothing(desk: Desk, order: Order) -> None:
    """W26"""
    receive(desk, order, "400")

    page = receive(desk, order, "600", **{"received-seen": "0"})

    assert purchase_of(order).received == 40_000
    assert page.select_one(".messages, .error-message, .help-critical") is not None


def test_a_paid_order_is_refunded_in_part_after_a_preview_and_restocked(
    desk: Desk, order: Order, house: TeaHouse
) -> None:
    receive(desk, order, "1,000")
    seen = {"quantity_0": "1", "restock_0": "on", "seen_refund": "0"}
    preview = send(desk, f"{PAGE}_refund", order.pk, seen)
    assert "Rs 500.00" in page_text(preview)
    typed = send(desk, f"{PAGE}_refund", order.pk, {"amount": "रु २५०", "seen_refund": "0"})
    assert "Refund Rs 250.00" in page_text(typed)
    assert Refund.objects.count() == 0
    confirmed = {**seen, "key": str(preview.select_one("[name=key]")["value"]), "confirm": "1"}  # type: ignore[index]
    confirmed["seen_refund"] = str(preview.select_one("[name=seen_refund]")["value"])  # type: ignore[index]

    send(desk, f"{PAGE}_refund", order.pk, confirmed)
    send(desk, f"{PAGE}_refund", order.pk, confirmed)  # sent twice

    assert Refund.objects.get().amount == 50_000
    assert (status_of(order), order.refunded) == ("paid", 50_000)
    assert order.lines.get().restocked == 1
    assert "Partially refunded" in page_text(desk.open(PAGE, order.pk))
    stale = send(desk, f"{PAGE}_refund", order.pk, {**confirmed, "key": "another"})
    assert Refund.objects.count() == 1
    assert stale.select_one("[name=confirm]") is None


def test_limits_of_refunds_hold_and_nobody_refunds_their_own_order(
    desk: Desk, order: Order, house: TeaHouse, place: Place
) -> None:
    """W27"""
    KhaltiSettings.objects.update_or_create(site=house.site, defaults={"refund_limit": 4_000})
    own = place(house.trek("Own"), details=replace(SITA, email=desk.user.email))
    receive(desk, order, "1000")
    everything = {"quantity_0": "2", "restock_0": "on", "seen_refund": "0", "key": "k", "confirm": "1"}

    answer = desk.client.post(reverse(f"{PAGE}_refund", args=[order.pk]), everything)
    assert answer.status_code == 200
    assert "A colleague has to approve this refund." in page_text(answer)
    assert "for your own account or order" in page_text(desk.open(f"{PAGE}_cancel", own.pk))
    assert "for your own account or order" in page_text(desk.post(f"{PAGE}_cancel", own.pk))
    assert "for your own account or order" in page_text(receive(desk, own, "500"))

    assert Refund.objects.count() == 0
    assert (status_of(own), purchase_of(own).received) == ("pending", 0)


def test_an_unpaid_order_is_cancelled_once_with_its_stock(desk: Desk, order: Order, house: TeaHouse) -> None:
    page: Any = order.lines.get().page
    trek = page.specific
    assert house.left(trek) == 1

    assert "Cancel this order?" in page_text(desk.open(f"{PAGE}_cancel", order.pk))
    for _twice in range(2):
        desk.post(f"{PAGE}_cancel", order.pk)

    assert (status_of(order), house.left(trek)) == ("cancelled", 3)
    assert order.notes.filter(text="Cancelled.").count() == 1
    assert ModelLogEntry.objects.filter(action="loyalink_khalti.cancel_order").count() == 1


def test_an_order_is_sent_with_a_mail_and_completed_once_it_is_paid(desk: Desk, order: Order) -> None:
    """W25"""
    mail.outbox.clear()
    sent = {"status-status": "sent", "status-seen": "pending", "status-notify": "on"}

    send(desk, f"{PAGE}_status", order.pk, sent)
    send(desk, f"{PAGE}_status", order.pk, sent)  # sent twice

    assert status_of(order) == "sent"
    assert [message.to for message in mail.outbox] == [[order.email]]
    completed = {"status-status": "completed", "status-seen": "sent"}
    assert "cannot get that status now" in page_text(send(desk, f"{PAGE}_status", order.pk, completed))
    stale = {**completed, "status-seen": "paid"}
    assert "since you opened the page" in page_text(send(desk, f"{PAGE}_status", order.pk, stale))
    receive(desk, order, "1000")
    assert status_of(order) == "sent"
    send(desk, f"{PAGE}_status", order.pk, completed)
    assert status_of(order) == "completed"
    for status in ("refunded", "held", "nonsense"):
        send(desk, f"{PAGE}_status", order.pk, {"status-status": status, "status-seen": "completed"})
    assert status_of(order) == "completed"


def test_notes_stay_in_the_history_and_mails_are_sent_again(desk: Desk, order: Order) -> None:
    mail.outbox.clear()

    send(desk, f"{PAGE}_note", order.pk, {"note-text": "Prefers the evening <b>."})
    empty = send(desk, f"{PAGE}_note", order.pk, {"note-text": ""})
    told = SentMail.objects.get(kind="order_placed")
    desk.post(f"{PAGE}_mail", order.pk, mail=str(told.pk))
    desk.post(f"{PAGE}_mail", order.pk, mail="../x")

    assert "Enter the text of the note." in page_text(empty)
    assert [message.to for message in mail.outbox] == [[order.email]]
    shown = desk.open(PAGE, order.pk)
    assert "Prefers the evening <b>." in page_text(shown)
    assert "maya@example.com" in page_text(shown.select_one(".desk-timeline"))
    assert "Order confirmation" in page_text(shown.select_one(f"form[action$='/{order.pk}/mail/']"))
    assert ModelLogEntry.objects.filter(action="loyalink_khalti.send_mail", data__mail="order_placed").count() == 1


def test_a_khalti_payment_is_linked_and_refunded_at_khalti(desk: Desk, house: TeaHouse, khalti: Simulator) -> None:
    trek = house.trek()
    basket = basket_of(Item(page=trek.pk, quantity=1, title=trek.title))
    freeze = basket.freeze(method=PaymentMethod.KHALTI, points=Points(0), expected_due=None)
    payment = flow.begin_payment(freeze)
    order = Order.objects.get()
    held = desk.open(PAGE, order.pk)
    assert held.select_one(f"a[href='{reverse('loyalink_khalti_release', args=[payment.purchase_id])}']") is not None
    khalti.pay(str(payment.pidx))
    flow.verify_payment(payment)
    payment.refresh_from_db()

    page = desk.open(PAGE, order.pk)
    assert page.select_one(f"a[href='{reverse('loyalink_khalti_payment', args=[payment.pk])}']") is not None
    assert str(payment.transaction_id) in page_text(page)
    whole = {"quantity_0": "1", "restock_0": "on", "seen_refund": "0", "key": "k", "confirm": "1"}
    send(desk, f"{PAGE}_refund", order.pk, whole)

    assert (status_of(order), Refund.objects.get().state) == ("refunded", "done")
    found = desk.open("loyalink_khalti_page_orders", q=payment.transaction_id)
    assert order.number in page_text(found)


def test_the_page_takes_as_many_statements_for_many_lines_and_notes_as_for_few(
    desk: Desk, place: Place, house: TeaHouse
) -> None:
    few, many = place(house.trek("A")), place(*[house.trek(title) for title in "BCDEF"])
    few.notes.create(text="one", actor=str(desk.user.pk))
    for number in range(5):
        many.notes.create(text=str(number), actor=str(desk.user.pk))
    desk.open(PAGE, few.pk)

    def statements(order: Order) -> int:
        with CaptureQueriesContext(connection) as captured:
            desk.open(PAGE, order.pk)
        return len(captured)

    assert statements(many) == statements(few)
