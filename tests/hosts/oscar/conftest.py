"""A small stationery shop on Oscar, customers with browsers, and a simulated Khalti."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.conf import settings as shop_settings
from django.contrib.auth import get_user, get_user_model
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from oscar.core.loading import get_class, get_model
from pytest_django import Settings as SettingsWrapper

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import khalti_simulator

__all__ = ["khalti_simulator"]

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")
PASSWORD = "saraswati-demo"
ADDRESS = {"first_name": "Sita", "last_name": "Sharma", "line1": "Naxal Marga 7", "line4": "Kathmandu"}
Page = Any
"""A response to a test's browser."""


@pytest.fixture
def khalti(khalti_simulator: Simulator, settings: SettingsWrapper) -> Simulator:
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI,
        "KHALTI_BASE_URL": khalti_simulator.base_url,
        "SITE_URL": "http://127.0.0.1:8000",
        "DEADLINE": 5,
    }
    return khalti_simulator


class Store:
    """The shop's products and their stock."""

    def __init__(self) -> None:
        country = get_model("address", "Country")
        country.objects.update_or_create(
            iso_3166_1_a2="NP",
            defaults={"iso_3166_1_a3": "NPL", "printable_name": "Nepal", "name": "NEPAL", "is_shipping_country": True},
        )
        self.partner = get_model("partner", "Partner").objects.create(name="Saraswati")
        self.kind = get_model("catalogue", "ProductClass").objects.create(name="Stationery", track_stock=True)
        self.category = get_model("catalogue", "Category").add_root(name="Paper", slug="paper")
        self.notebook = self.add("Lokta notebook", "LOKTA-A5", rupees="500.00", stock=20)
        self.pen = self.add("Gel pen", "PEN-01", rupees="35.00", stock=50)

    def add(self, title: str, sku: str, *, rupees: str, stock: int, currency: str = "NPR") -> Any:
        product = get_model("catalogue", "Product").objects.create(
            title=title, product_class=self.kind, structure="standalone", description=f"A good {title.lower()}."
        )
        product.categories.add(self.category)
        get_model("partner", "StockRecord").objects.create(
            product=product,
            partner=self.partner,
            partner_sku=sku,
            price=Decimal(rupees),
            price_currency=currency,
            num_in_stock=stock,
        )
        return product

    def stock(self, product: Any) -> int:
        """Return how many can still be sold."""
        return int(product.stockrecords.get().net_stock_level)

    def coupon(self, code: str = "WELCOME", *, rupees: str = "100.00", usage: str = "Single use") -> Any:
        """Create a coupon with a discount in rupees."""
        offer = get_model("offer", "ConditionalOffer").objects.create(
            name=f"Coupon {code}",
            offer_type="Voucher",
            condition=get_model("offer", "Condition").objects.create(type="Count", value=1, range=self._everything()),
            benefit=get_model("offer", "Benefit").objects.create(
                type="Absolute", value=Decimal(rupees), range=self._everything()
            ),
        )
        now = timezone.now()
        voucher = get_model("voucher", "Voucher").objects.create(
            name=code,
            code=code,
            usage=usage,
            start_datetime=now - timedelta(days=1),
            end_datetime=now + timedelta(days=1),
        )
        voucher.offers.add(offer)
        return voucher

    def _everything(self) -> Any:
        ranges = get_model("offer", "Range").objects
        return ranges.get_or_create(name="Everything", defaults={"includes_all_products": True})[0]


@pytest.fixture
def store(transactional_db: None, khalti: Simulator) -> Store:
    return Store()


class Customer:
    """A customer with a browser, a guest without a ``user``."""

    def __init__(self, email: str, *, user: Any = None) -> None:
        self.email, self.user, self.phone = email, user, "+9779841234567"
        self.browser = Client()
        if user:
            self.browser.login(username=user.email, password=PASSWORD)

    def add(self, product: Any, quantity: int = 1) -> Page:
        return self.browser.post(f"/shop/basket/add/{product.pk}/", {"quantity": quantity})

    def use(self, coupon: str) -> Page:
        return self.browser.post("/shop/basket/vouchers/add/", {"code": coupon})

    def go_to_payment(self, *, delivery: str = "standard") -> Page:
        """Open the payment page, with all pages before it filled in."""
        self.fill_in(delivery=delivery)
        return self.browser.get("/shop/checkout/payment-method/")

    def fill_in_pages(self, *, delivery: str = "standard") -> None:
        """Fill in all pages before the payment page, which are Oscar's."""
        if not self.user:
            self.browser.post("/shop/checkout/", {"username": self.email, "options": "anonymous"})
        address = ADDRESS | {"country": "NP", "phone_number": self.phone}
        self.browser.post("/shop/checkout/shipping-address/", address)
        self.browser.post("/shop/checkout/shipping-method/", {"method_code": delivery})

    def fill_in(self, *, delivery: str = "standard") -> None:
        """Leave in the session what ``fill_in_pages`` leaves there, ten times as fast."""
        request = self._request()
        request.session = self.browser.session
        checkout = get_class("checkout.utils", "CheckoutSessionData")(request)
        if not self.user:
            checkout.set_guest_email(self.email)
        form = get_class("checkout.forms", "ShippingAddressForm")(
            ADDRESS | {"country": "NP", "phone_number": self.phone}
        )
        assert form.is_valid(), form.errors
        fields = {name: value for name, value in vars(form.instance).items() if not name.startswith("_")}
        checkout.ship_to_new_address(fields)
        checkout.use_shipping_method(delivery)
        request.session.save()
        # A session in a signed cookie is the cookie.
        self.browser.cookies[shop_settings.SESSION_COOKIE_NAME] = request.session.session_key

    def put(self, product: Any, quantity: int = 1) -> None:
        """Put a product into the basket, as ``add`` does by Oscar's page, ten times as fast."""
        middleware = get_class("basket.middleware", "BasketMiddleware")

        def add(request: Any) -> HttpResponse:
            request.basket = around.get_basket(request)
            request.basket.strategy = request.strategy
            request.basket.add_product(product, quantity)
            return HttpResponse()

        around = middleware(add)
        self.browser.cookies.update(around(self._request()).cookies)

    def _request(self) -> Any:
        """Return a request of this browser."""
        request: Any = RequestFactory().get("/")
        request.COOKIES = {name: morsel.value for name, morsel in self.browser.cookies.items()}
        has_session = shop_settings.SESSION_COOKIE_NAME in request.COOKIES
        request.session = self.browser.session if has_session else {}
        request.user = get_user(request)
        return request

    def choose(self, method: str = "khalti", **more: Any) -> Page:
        return self.browser.post("/shop/checkout/payment-method/", {"payment_method": method, **more})

    def place(self, **more: Any) -> Page:
        return self.browser.post("/shop/checkout/preview/", {"action": "place_order", **more})

    def buy(self, *products: Any, method: str = "khalti", points: int | None = None, **more: Any) -> Page:
        """Order products: those in the basket and these."""
        for product in products:
            self.put(product)
        self.fill_in(**more)
        chosen = self.choose(method, **({} if points is None else {"points": points}))
        assert chosen.status_code == 302, chosen.content.decode()
        return self.place()

    def return_from_khalti(self, payment: Payment) -> Page:
        """Return from Khalti and follow all redirects."""
        return self.browser.get(f"/khalti/return/{payment.token}/", follow=True)

    def lines(self) -> list[tuple[str, int]]:
        """Return what the basket page shows to this browser."""
        basket = self.browser.get("/shop/basket/").context["basket"]
        return [(line.product.title, line.quantity) for line in basket.all_lines()]

    def sees(self, path: str, *texts: str) -> bool:
        page = text(self.browser.get(path, follow=True))
        return all(each in page for each in texts)


def text(response: Page) -> str:
    """Return the text of a page, without its tags."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace("&#x27;", "'").replace("&quot;", '"')


def order_page(order: Any) -> str:
    """Return the path of an order in the dashboard."""
    return f"/shop/dashboard/orders/{order.number}/"


def form_with(page: Page, name: str, button: str) -> dict[str, str]:
    """Return what the form would send in which this button is pressed."""
    pressed = BeautifulSoup(page.content.decode(), "html.parser").find("button", attrs={"name": name, "value": button})
    assert pressed is not None, text(page)
    fields = pressed.find_parent("form").find_all("input")  # type: ignore[union-attr]
    typed = {
        str(field["name"]): str(field.get("value", "on" if field.get("type") == "checkbox" else ""))
        for field in fields
        if field.get("type") != "checkbox" or field.has_attr("checked")
    }
    return {each: value for each, value in typed.items() if each != "csrfmiddlewaretoken"} | {name: button}


def receive(staff: Client, order: Any, **typed: Any) -> Page:
    """Record in the dashboard that all that is left to pay has arrived, or what is typed."""
    form = form_with(staff.get(order_page(order)), "received", "record")
    return staff.post(
        order_page(order), form | {f"received-{name}": value for name, value in typed.items()}, follow=True
    )


def new_member(email: str, *, points: int = 0) -> Customer:
    user = get_user_model().objects.create_user(username=email, email=email, password=PASSWORD, first_name="Sita")
    if points:
        ledger.adjust(site_key="default", member_id=str(user.pk), points=points, key=f"test:{email}", reason="opening")
    return Customer(email, user=user)


def available(customer: Customer) -> Points:
    account = ledger.find_account("default", str(customer.user.pk))
    return Points(account.available if account else 0)


def payment_of(response: Page) -> Payment:
    """Return the payment to whose page at Khalti a response redirects."""
    assert response.status_code == 302, response.content.decode()[:2000]
    return Payment.objects.select_related("purchase").get(payment_url=response["Location"])


def only_order() -> Any:
    return Order.objects.get()


def only_purchase() -> Purchase:
    return Purchase.objects.get()


@pytest.fixture
def sita(store: Store) -> Customer:
    """A member with 1,200 points."""
    return new_member("sita@example.com", points=1200)


@pytest.fixture
def guest(store: Store) -> Customer:
    return Customer("guest@example.com")


@pytest.fixture
def staff(store: Store) -> Client:
    user = get_user_model().objects.create_superuser("admin", "admin@example.com", PASSWORD)
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser
