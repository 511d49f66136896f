"""One purchase through the API in each host of the package: quote, begin, pay at Khalti, a paid order."""

from importlib.util import find_spec
from typing import Any

import pytest
from django.urls import include, path

from loyalink_khalti import conf, flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator
from tests.api.calling import App
from tests.hosts.oscar.conftest import Store, khalti, khalti_simulator, new_member, store
from tests.hosts.oscar.test_wanted import wanted as wanted_of_oscar
from tests.hosts.page.conftest import TeaHouse
from tests.hosts.page.urls import urlpatterns as urls_of_pages

__all__ = ["khalti", "khalti_simulator", "store"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]

urlpatterns = [path("api/khalti/v1/", include("loyalink_khalti.api.urls")), *urls_of_pages]


def buys(simulator: Simulator, shop: str, basket: dict[str, Any], *, app: App, points: int = 0) -> Purchase:
    """Buy the basket in this shop through the API; its order is paid and the audit passes."""
    quote = app.quote(shop=shop, basket=basket, points=points, method="khalti")
    assert quote.status_code == 200, quote.content
    due = quote.json()["amount_due"]
    begun = app.begin(shop=shop, basket=basket, points=points, expected_due=due)
    assert begun.status_code == 201, begun.content
    payment = begun.json()["payment"]
    simulator.pay(Payment.objects.get(token=payment["id"]).pidx or "")
    status = app.get(f"/payments/{payment['id']}", payment_secret=payment["secret"] or "")

    assert (status.json()["outcome"], status.json()["amount"]) == ("paid", due)
    purchase = Purchase.objects.get(shop=shop)
    order = conf.shop(shop).get_order(purchase.ref)
    assert (order.paid, order.number) == (due, status.json()["order_number"])
    assert flow.audit()["ok"]
    return purchase


def with_shop(settings: Any, name: str, cls: str) -> None:
    api = {"AUTHENTICATE": "tests.api.calling.user_of_token"}
    chosen = settings.LOYALINK_KHALTI
    settings.LOYALINK_KHALTI = {**chosen, "API": api, "SHOPS": {**chosen["SHOPS"], name: cls}}


def test_oscar_sells_through_the_api_to_a_member_with_points(store: Store, khalti: Simulator, settings: Any) -> None:
    """Q10"""
    with_shop(settings, "oscar", "loyalink_khalti.hosts.oscar.shop.OscarShop")
    sita = new_member("sita@example.com", points=1000)

    basket = wanted_of_oscar(store, email=None)
    purchase = buys(khalti, "oscar", basket, app=App(sita.user.username), points=500)

    assert (purchase.member_id, purchase.points_redeemed) == (str(sita.user.pk), 500)
    account = ledger.own_account("default", str(sita.user.pk))
    assert account is not None
    assert account.available == 500 + purchase.earned


def test_a_page_is_sold_through_the_api_to_a_guest(store: Store, khalti: Simulator, settings: Any) -> None:
    """Q10"""
    with_shop(settings, "page", "loyalink_khalti.hosts.page.shop.PageShop")
    settings.ROOT_URLCONF = __name__
    house = TeaHouse()
    trek = house.trek(rupees=500, stock=30)
    customer = {"name": "Maya", "email": "maya@example.com", "phone": "9841234567"}

    buys(khalti, "page", {"items": [{"page": trek.pk, "quantity": 2}], "customer": customer}, app=App())

    assert house.left(trek) == 28


@pytest.mark.skipif(not find_spec("salesman"), reason="django-salesman refuses Django 6")
def test_salesman_sells_through_the_api_to_a_guest(store: Store, khalti: Simulator, settings: Any) -> None:
    """Q10"""
    from tests.hosts.salesman.site.models import Tea

    with_shop(settings, "salesman", "loyalink_khalti.hosts.salesman.shop.SalesmanShop")
    settings.ROOT_URLCONF = "tests.hosts.salesman.urls"
    tea = Tea.objects.create(name="Green tea", code="GREEN", price="500.00", stock=20)
    basket = {
        "items": [{"product_type": "salesman_site.Tea", "product_id": tea.pk, "quantity": 2}],
        "email": "maya@example.com",
        "shipping_address": "Maya Rai\nLakeside 6, Pokhara",
        "billing_address": "Maya Rai",
    }

    buys(khalti, "salesman", basket, app=App())

    tea.refresh_from_db()
    assert tea.stock == 18
