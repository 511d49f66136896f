"""docs/hosts/own.md: its code is that of the shop ``tea``, which sells. test_tea.py has its contract."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db.models import ProtectedError
from django.test import Client

from loyalink_khalti import flow, shown_points
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import khalti, khalti_simulator

from .tea.models import Order, Tea

__all__ = ["khalti", "khalti_simulator"]

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "hosts" / "own.md"
SHOP = ("tea/models.py", "tea/shop.py")
SHOWN = (*SHOP, "tea/points.py", "tea/views.py", "tea/templates/tea/buy.html", "test_tea.py")
MOST = 120
MARK = "pytestmark = pytest.mark.money\n"
"""For the runs of these tests alone."""


def test_the_page_shows_the_code_that_is_tested() -> None:
    """H10d"""
    blocks = re.findall(r"^```(?:python|html)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)

    shown = {name: (HERE / name).read_text().replace(MARK, "").replace("from .tea", "from tea") for name in SHOWN}
    missing = [name for name, text in shown.items() if text not in blocks]
    assert not missing, f"docs/hosts/own.md shows other code than tests/hosts/own has: {missing}"


def test_a_whole_shop_is_under_120_lines() -> None:
    """H10d"""
    assert sum(len((HERE / name).read_text().splitlines()) for name in SHOP) < MOST


@pytest.mark.django_db(transaction=True)
def test_the_shop_of_the_page_sells(settings: Any, khalti: Simulator, admin_user: User) -> None:
    """H10d"""
    settings.ROOT_URLCONF = "tests.hosts.own.urls"
    Tea.objects.create(sku="ilam", title="Ilam black", price=450_00, stock=1)
    browser, typed = Client(), {"name": "Sita", "email": "sita@example.com"}
    basket = str(browser.get("/buy/ilam/").context["basket"])

    first = browser.post("/buy/ilam/", typed | {"basket": basket})
    second = browser.post("/buy/ilam/", typed | {"basket": basket})
    other = Client().post("/buy/ilam/", typed | {"basket": "another"})
    payment = Payment.objects.get()
    khalti.pay(str(payment.pidx))
    browser.get(khalti.return_urls(str(payment.pidx))[0], follow=True)

    assert first["Location"] == second["Location"] == payment.payment_url
    assert "is sold out" in other.content.decode()
    order = Order.objects.get()
    assert (order.status, order.paid) == ("placed", Paisa(550_00))
    assert [each.to for each in mail.outbox] == [["sita@example.com"]]
    with pytest.raises(ProtectedError, match="Refund or cancel it"):
        order.delete()
    flow.refund_order(Purchase.objects.get(), subtotal=Paisa(450_00), shipping=Paisa(100_00), key="test", actor="1")
    order.refresh_from_db()
    assert sum(order.refunds.values()) == Paisa(550_00)


@pytest.mark.django_db
def test_its_products_say_what_they_earn(settings: Any) -> None:
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI,
        "SHOPS": {"tea": "tests.hosts.own.tea.points.TeaShopWithPoints"},
    }
    teas = [Tea(sku="ilam", title="Ilam black", price=450_00), object()]

    assert [each.points for each in shown_points.of_products(teas, None)] == [45, 0]
