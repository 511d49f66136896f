"""The list of orders: what counts as one, how it is searched and filtered, and what is exported."""

import csv
import io
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import ModelLogEntry

from loyalink_khalti.hosts.page.basket import Item
from loyalink_khalti.hosts.page.details import Details
from loyalink_khalti.hosts.page.models import Order, OrderStatus
from loyalink_khalti.money import Points
from loyalink_khalti.ports import PaymentMethod
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk, staff_user
from tests.hosts.page.conftest import TeaHouse, basket_of

from .conftest import Place

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "loyalink_khalti_page_orders"
MAYA = Details(name="Maya Gurung", email="maya@example.com", phone="9801112223")


def numbers(page: BeautifulSoup) -> list[str]:
    return [cell.get_text(strip=True) for cell in page.select("tbody td.title a")]


def listed(desk: Desk, **query: Any) -> BeautifulSoup:
    return BeautifulSoup(desk.client.get(reverse(LIST), query).content, "html.parser")


def hold(page: Any) -> Order:
    """Return an order that awaits its payment at Khalti."""
    basket = basket_of(Item(page=page.pk, quantity=1, title=page.title), details=MAYA)
    with transaction.atomic():
        cart = basket.freeze(method=PaymentMethod.KHALTI, points=Points(0), expected_due=None)()
    return Order.objects.get(number=cart.ref)


def test_held_and_unplaced_orders_are_not_counted_and_can_be_listed(desk: Desk, place: Place, house: TeaHouse) -> None:
    """W28"""
    trek = house.trek()
    placed, held, released = place(trek), hold(trek), hold(trek)
    Order.objects.filter(pk=released.pk).update(status=OrderStatus.CANCELLED, basket=None)

    assert numbers(listed(desk)) == [placed.number]
    assert numbers(listed(desk, status="held")) == [held.number]
    assert numbers(listed(desk, status="not_placed")) == [released.number]
    assert "Awaiting payment" in page_text(listed(desk, status="held"))
    assert "0 paid orders to send" in page_text(desk.client.get("/admin/"))
    assert desk.open("loyalink_khalti_page_order", held.pk).find("a", string="Partial refund") is None


def test_orders_are_found_by_what_staff_know_of_them(desk: Desk, place: Place, house: TeaHouse) -> None:
    trek = house.trek()
    sita, maya = place(trek), place(trek, details=MAYA)
    cancelled = place(trek, details=MAYA)
    Order.objects.filter(pk=cancelled.pk).update(status=OrderStatus.CANCELLED)
    Order.objects.filter(pk=maya.pk).update(status=OrderStatus.SENT)

    for query in (maya.number, "gurung", "MAYA@example.com", "+977 980-1112223"):
        assert maya.number in numbers(listed(desk, q=query)), query
        assert sita.number not in numbers(listed(desk, q=query)), query
    assert numbers(listed(desk, status="not_paid")) == [maya.number, sita.number]
    assert numbers(listed(desk, status="cancelled")) == [cancelled.number]
    assert numbers(listed(desk, method="khalti")) == []
    assert numbers(listed(desk, since="2000-01-01", until="2001-01-01")) == []
    none = listed(desk, q="nobody")
    assert none.find("a", string="Search orders that await payment or were not placed") is not None


def test_the_list_takes_as_many_statements_for_many_orders_as_for_one(
    desk: Desk, place: Place, house: TeaHouse
) -> None:
    trek = house.trek()
    place(trek)

    def statements(**query: Any) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            answer: Any = desk.client.get(reverse(LIST), query)
            _read = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return len(captured)

    _cached = statements(), statements(export="csv")  # Django reads content types once
    one = statements(), statements(export="csv")
    for _each in range(4):
        place(trek, house.trek("Mardi"))

    assert (statements(), statements(export="csv")) == one


def test_an_export_has_its_own_permission_is_logged_and_runs_no_formula(place: Place, house: TeaHouse) -> None:
    """W29"""
    order = place(house.trek("=cmd()"), details=MAYA)
    clerk, chief = Desk(staff_user("clerk", "view_order")), Desk(staff_user("chief", "view_order", "export_order"))

    assert clerk.client.get(reverse(LIST), {"export": "xlsx"}).status_code == 403
    exported = rows_of(chief.client, status="pending")

    assert [row["Order"] for row in exported] == [order.number]
    assert exported[0]["Products"] == "1 × =cmd()"
    assert exported[0]["To pay (Rs)"] == "500.00"
    entry = ModelLogEntry.objects.get(action="loyalink_khalti.export")
    assert entry.data["filters"] == {"status": "pending"}


def rows_of(client: Client, **query: str) -> list[dict[str, str]]:
    answer: Any = client.get(reverse(LIST), {"export": "csv", **query})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))
