"""Stock in Wagtail's admin: how many are left, and a change that no sale is lost to."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import ModelLogEntry

from loyalink_khalti.hosts.page.basket import Item
from loyalink_khalti.hosts.page.models import Order, OrderStatus, Stock
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk, staff_user
from tests.hosts.page.conftest import TeaHouse, basket_of, freeze

from .conftest import Place, send

pytestmark = pytest.mark.django_db(transaction=True)
LIST, CHANGE = "loyalink_khalti_page_stock", "loyalink_khalti_page_stock_change"
CHOICES = [
    {"type": "choice", "id": "small", "value": {"title": "Small", "price": None, "sku": "S"}},
    {"type": "choice", "id": "large", "value": {"title": "Large", "price": None, "sku": "L"}},
]


@pytest.fixture
def hat(house: TeaHouse) -> Any:
    """A hat of which three small ones and no large one are left."""
    page = house.trek("Felt hat", choices=CHOICES)
    page.track_stock = True
    page.save()
    house.fill(page, 3, "small")
    return page


def left(page: Any) -> dict[str, int]:
    return dict(Stock.objects.filter(product=page.translation_key).values_list("choice", "quantity"))


def form(**more: str) -> dict[str, str]:
    """The form as it was opened."""
    return {
        "choice_0": "small", "seen_0": "3", "choice_1": "large", "seen_1": "0", "reason": "counted", **more,
    }  # fmt: skip


def test_the_list_names_each_choice_with_what_is_left(desk: Desk, hat: Any, house: TeaHouse) -> None:
    house.trek("Langtang", stock=12)
    house.trek("Not tracked")

    shown = page_text(desk.open(LIST))
    assert "Small: 3 Large: sold out" in shown
    assert "Langtang" in shown
    assert "Not tracked" not in shown
    assert "Langtang" not in page_text(desk.open(LIST, left="0").select_one("main"))
    assert "Felt hat" in page_text(desk.open(LIST, left="5").select_one("main"))
    assert "Felt hat" not in page_text(desk.open(LIST, q="lang").select_one("main"))
    exported: Any = desk.client.get(reverse(LIST), {"export": "csv"})
    assert b"Felt hat,Large,L,0" in b"".join(exported.streaming_content)


def test_the_list_takes_as_many_statements_for_many_products_as_for_one(desk: Desk, hat: Any, house: TeaHouse) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            desk.open(LIST)
        return len(captured)

    desk.open(LIST)
    one = statements()
    for number in range(5):
        house.trek(f"Trek {number}", stock=number)

    assert statements() == one


def test_stock_is_changed_with_a_reason_that_colleagues_read(desk: Desk, hat: Any) -> None:
    send(desk, CHANGE, hat.translation_key, form(quantity_1="1,200"))

    assert left(hat) == {"small": 3, "large": 1200}
    page = page_text(desk.open(CHANGE, hat.translation_key))
    assert "Felt hat (Large): 0 → 1200" in page
    assert "counted" in page
    assert "Stock: 0 → 1200 (counted)" in page_text(desk.client.get(reverse("wagtailadmin_reports:site_history")))


@pytest.mark.money
def test_a_sale_since_the_page_was_opened_refuses_the_whole_form(desk: Desk, hat: Any) -> None:
    """W23"""
    Stock.objects.filter(choice="small").update(quantity=2)  # one was bought

    page = send(desk, CHANGE, hat.translation_key, form(quantity_0="10", quantity_1="4"))

    assert left(hat) == {"small": 2}
    assert "there are 2 now" in page_text(page)
    seen = page.select_one("[name=seen_0]")
    assert seen is not None
    assert seen["value"] == "2"
    send(desk, CHANGE, hat.translation_key, form(quantity_0="9", quantity_1="4", seen_0="2"))
    assert left(hat) == {"small": 9, "large": 4}


def test_what_is_ordered_and_not_sent_yet_stands_beside_what_can_be_sold(
    desk: Desk, house: TeaHouse, place: Place
) -> None:
    """W31"""
    page = house.trek(stock=10)
    place(page, quantity=3)
    sent = place(page, quantity=2)
    freeze(basket_of(Item(page=page.pk)))

    def numbers() -> list[str]:
        return [cell.get_text(strip=True) for cell in desk.open(CHANGE, page.translation_key).select("main td")[2:4]]

    assert numbers() == ["4", "6"]
    Order.objects.filter(pk=sent.pk).update(status=OrderStatus.SENT)
    assert numbers() == ["4", "4"]


def test_wrong_numbers_change_nothing(desk: Desk, hat: Any) -> None:
    for wrong in (
        {"quantity_0": "-1"}, {"quantity_0": "1e9"}, {"quantity_0": "9.5"}, {"quantity_0": "9", "reason": ""}, {},
        {"quantity_0": "9", "choice_0": "large"}, {"quantity_0": "9", "seen_0": ""}, {"quantity_0": "9999999"},
    ):  # fmt: skip
        page = send(desk, CHANGE, hat.translation_key, form(**wrong))
        assert page.select_one(".error-message, .help-critical, .w-field__errors") is not None, wrong

    assert left(hat) == {"small": 3}
    assert not ModelLogEntry.objects.filter(action="loyalink_khalti_page.stock").exists()
    desk.open(CHANGE, "00000000-0000-4000-8000-000000000000", status=404)


def test_the_page_editor_shows_what_is_left_and_publishing_changes_no_stock(
    desk: Desk, hat: Any, place: Place
) -> None:
    """W24"""
    revision = hat.save_revision()
    Stock.objects.filter(choice="small").update(quantity=1)
    admin = Desk(staff_user("boss", is_superuser=True))

    editor = admin.client.get(reverse("wagtailadmin_pages:edit", args=[hat.pk]))
    revision.publish()

    assert "Small: 1" in page_text(editor)
    assert reverse(CHANGE, args=[hat.translation_key]) in editor.content.decode()
    assert left(hat) == {"small": 1}
