"""Every page about orders and stock refuses without its permission, and the default groups have what they need."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from loyalink_khalti.hosts.page.models import Order
from tests.backoffice import staff
from tests.backoffice.staff import Desk

from .conftest import send, status_of

pytestmark = pytest.mark.django_db(transaction=True)

ORDER = "loyalink_khalti_page_order"
STOCK = "loyalink_khalti_page_stock"
NEEDED: dict[str, tuple[str, str]] = {
    f"{ORDER}s": ("view_order", "view_order"),
    f"{ORDER}s_results": ("view_order", "view_order"),
    ORDER: ("view_order", "view_order"),
    f"{ORDER}_refund": ("change_refund", "change_refund"),
    f"{ORDER}_apply_refunds": ("change_refund", "change_refund"),
    f"{ORDER}_cancel": ("change_refund", "change_refund"),
    f"{ORDER}_received": ("view_order", "record_received"),
    f"{ORDER}_status": ("view_order", "change_order"),
    f"{ORDER}_note": ("view_order", "change_order"),
    f"{ORDER}_mail": ("view_order", "change_order"),
    STOCK: ("view_stock", "view_stock"),
    f"{STOCK}_results": ("view_stock", "view_stock"),
    f"{STOCK}_change": ("view_stock", "change_stock"),
}
"""The permission with which a page is opened, and the one with which its form is sent."""
ALL = sorted({name for pair in NEEDED.values() for name in pair})


def url_names(resolver: URLResolver) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            if (pattern.name or "").startswith("loyalink_khalti_page_"):
                yield str(pattern.name)
        else:
            yield from url_names(pattern)


def arguments(url_name: str, order: Order) -> tuple[Any, ...]:
    if url_name.endswith(("orders", "stock", "_results")):
        return ()
    return (str(order.lines.get().product),) if url_name == f"{STOCK}_change" else (order.pk,)


def test_every_page_refuses_without_its_permission(order: Order) -> None:
    """W22"""
    refused: list[tuple[str, str]] = []
    colleagues = {name: Desk(staff.staff_user(name, *set(ALL) - {name})).client for name in ALL}

    for url_name, (to_open, to_send) in NEEDED.items():
        url = reverse(url_name, args=arguments(url_name, order))
        if colleagues[to_open].get(url).status_code != 403:
            refused.append(("open", url_name))
        if colleagues[to_send].post(url, {"received": "record"}).status_code != 403:
            refused.append(("send", url_name))
        if not Client().get(url)["Location"].startswith("/admin/login/"):
            refused.append(("log in", url_name))

    assert refused == []
    assert set(url_names(get_resolver())) == set(NEEDED)
    assert status_of(order) == "pending"


def test_the_default_groups_work_with_orders_and_stock(order: Order) -> None:
    product, pages = str(order.lines.get().product), (f"{ORDER}s", STOCK)
    editor, accountant = Desk(staff.editor()), Desk(staff.accountant())

    for desk in (editor, accountant):
        assert [desk.client.get(reverse(name), {"export": "csv"}).status_code for name in pages] == [200, 200]
        desk.open(ORDER, order.pk)
        desk.open(f"{ORDER}_cancel", order.pk)
        send(desk, f"{ORDER}_note", order.pk, {"note-text": "Called."})
    change: dict[str, Any] = {"quantity_0": "9", "seen_0": "1", "reason": "counted"}
    assert accountant.client.post(reverse(f"{STOCK}_change", args=[product]), change).status_code == 403
    assert editor.client.post(reverse(f"{STOCK}_change", args=[product]), change).status_code == 302
    assert order.notes.count() == 2
