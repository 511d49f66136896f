"""Ilam Tea House, bought at through its API; Khalti is simulated by the package's own fixtures."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient
from salesman.core.utils import get_salesman_model
from teahouse.models import Tea

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)

DETAILS = {"email": "sita@example.com", "shipping_address": "Lakeside 6, Pokhara", "billing_address": "Sita Rai"}


@pytest.fixture(autouse=True)
def _teas(khalti: Simulator, transactional_db: None) -> None:
    call_command("load_demo", verbosity=0)


def buy(client: APIClient, *, method: str = "khalti", points: int = 0) -> dict[str, Any]:
    tea = Tea.objects.get(code="GREEN")
    client.post("/api/basket/", {"product_type": "teahouse.Tea", "product_id": tea.pk}, format="json")
    if points:
        client.put("/api/payment/khalti/points/", {"points": points}, format="json")
    answer = client.post("/api/checkout/", {**DETAILS, "payment_method": method}, format="json")
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_member_with_a_token_buys_with_points(khalti: Simulator) -> None:
    app = APIClient()
    app.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.get(user__username='sita')}")
    answer = buy(app, points=200)
    pidx = Payment.objects.get().pidx or ""
    khalti.pay(pidx)

    back = app.get(urlsplit(khalti.return_urls(pidx)[0]).path)

    order = app.get(f"/api/orders/{answer['ref']}/").json()
    assert (order["status"], order["total"], order["is_paid"]) == ("PROCESSING", "530.00", True)
    assert back["Location"] == f"/?order={answer['ref']}&outcome=paid"
    assert Tea.objects.get(code="GREEN").stock == 19
    assert list(flow.audit_violations()) == []


def test_a_guest_pays_on_delivery() -> None:
    guest = APIClient()
    answer = buy(guest, method="cod")

    order = guest.get(f"/api/orders/{answer['ref']}/", {"token": answer["token"]}).json()

    assert (order["status"], order["is_paid"]) == ("CREATED", False)
    assert get_salesman_model("BasketItem").objects.count() == 0


def test_the_page_and_the_list_of_orders_open(client: Any, django_user_model: Any) -> None:
    page = client.get("/")
    client.force_login(django_user_model.objects.get(username="admin"))
    orders = client.get("/admin/khalti/salesman/")

    assert "Ilam Tea House" in page.content.decode()
    assert (orders.status_code, "Orders" in orders.content.decode()) == (200, True)
