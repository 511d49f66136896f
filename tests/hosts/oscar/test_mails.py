"""The mails about an Oscar order: a customer's story from the order to its refund, and staff who send one again."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from oscar.core.loading import get_model
from wagtail.models import ModelLogEntry

from loyalink_khalti.mail_rows import SentMail

from .conftest import Customer, Store, only_order, order_page, receive

pytestmark = pytest.mark.same_on_both


def test_a_transfer_that_is_received_sent_and_looked_up_is_told_each_time_and_kept_in_the_history(
    store: Store, sita: Customer, staff: Client
) -> None:
    """T3"""
    sita.buy(store.notebook, method="bank_transfer")
    order = only_order()
    receive(staff, order)
    order.refresh_from_db()
    order.set_status("Shipped")
    order.set_status("Delivered")

    assert [message.subject for message in mail.outbox] == [
        f"Your order {order.number} at Saraswati Stationery",
        f"We have received the payment of your order {order.number}",
        f"Your order {order.number} is on its way",
    ]
    assert all(message.to == [sita.user.email] for message in mail.outbox)
    assert f"/accounts/orders/{order.number}/" in str(mail.outbox[2].body)
    history = get_model("communication", "Email").objects.filter(user=sita.user)
    assert {email.subject for email in history} == {message.subject for message in mail.outbox}


def test_staff_send_a_mail_again_in_the_dashboard_and_it_is_logged_once(
    store: Store, sita: Customer, staff: Client
) -> None:
    sita.buy(store.notebook, method="cod")
    order, told = only_order(), SentMail.objects.get()

    page = staff.get(order_page(order)).content.decode()
    staff.post(order_page(order), {"mail": str(told.pk)})
    answer: Any = staff.post(order_page(order), {"mail": "987654"}, follow=True)

    assert "E-mails to the customer" in page
    assert len(mail.outbox) == 2
    assert "This mail cannot be sent" in answer.content.decode()
    entry = ModelLogEntry.objects.get(action="loyalink_khalti.send_mail")
    assert entry.message == "Sent again: Order confirmation"
