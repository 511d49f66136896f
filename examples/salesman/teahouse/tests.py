"""The example's tests: ``python manage.py test --debug-mode``, with a simulated Khalti of their own."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.test import TransactionTestCase, override_settings
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient
from salesman.core.utils import get_salesman_model

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator
from teahouse.models import Tea

DETAILS = {"email": "sita@example.com", "shipping_address": "Lakeside 6, Pokhara", "billing_address": "Sita Rai"}


class TeaHouse(TransactionTestCase):
    def setUp(self) -> None:
        call_command("load_demo")
        self.khalti = self.enterContext(Simulator())
        chosen = {**settings.LOYALINK_KHALTI, "KHALTI_BASE_URL": self.khalti.base_url}
        self.enterContext(override_settings(LOYALINK_KHALTI=chosen))

    def buy(self, client: APIClient, **more: object) -> dict[str, str]:
        tea = Tea.objects.get(code="GREEN")
        client.post("/api/basket/", {"product_type": "teahouse.Tea", "product_id": tea.pk}, format="json")
        if "points" in more:
            client.put("/api/payment/khalti/points/", {"points": more["points"]}, format="json")
        answer = client.post(
            "/api/checkout/", {**DETAILS, "payment_method": more.get("method", "khalti")}, format="json"
        )
        assert answer.status_code == 201, answer.content
        found: dict[str, str] = answer.json()
        return found

    def test_a_member_with_a_token_buys_with_points(self) -> None:
        app = APIClient()
        app.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.get(user__username='sita')}")
        answer = self.buy(app, points=200)
        self.khalti.pay(Payment.objects.get().pidx or "")

        back = app.get(urlsplit(self.khalti.return_urls(Payment.objects.get().pidx or "")[0]).path)

        order = app.get(f"/api/orders/{answer['ref']}/").json()
        assert (order["status"], order["total"], order["is_paid"]) == ("PROCESSING", "530.00", True)
        assert back.status_code == 302
        assert back["Location"] == f"/?order={answer['ref']}&outcome=paid"
        assert Tea.objects.get(code="GREEN").stock == 19
        assert list(flow.audit_violations()) == []

    def test_a_guest_pays_on_delivery(self) -> None:
        guest = APIClient()
        answer = self.buy(guest, method="cod")

        order = guest.get(f"/api/orders/{answer['ref']}/", {"token": answer["token"]}).json()

        assert (order["status"], order["is_paid"]) == ("CREATED", False)
        assert get_salesman_model("Basket").objects.count() == 0

    def test_the_page_and_the_admin_open(self) -> None:
        self.assertContains(self.client.get("/"), "Ilam Tea House")
        self.client.login(username="admin", password="ilam-demo")  # noqa: S106 - of a demo
        self.assertContains(self.client.get("/admin/khalti/salesman/"), "Orders")
