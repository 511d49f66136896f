"""Oscar's placement contract: a shop's hooks and Oscar's signals run once each, after the order is placed."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.http import HttpResponse, HttpResponseRedirect
from oscar.apps.checkout.signals import post_checkout
from oscar.apps.checkout.views import PaymentDetailsView as StockDetailsView
from oscar.apps.order.utils import OrderCreator, OrderDispatcher
from oscar.core.loading import get_model
from pytest_django import Settings

from loyalink_khalti import flow, outbox
from loyalink_khalti.hosts.oscar import checks
from loyalink_khalti.hosts.oscar.checkout import KhaltiCheckoutMixin
from loyalink_khalti.hosts.oscar.events import LATE_HOOKS, WAIT_FOR_CUSTOMER
from loyalink_khalti.hosts.oscar.reservations import LATE_BENEFIT
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.simulator import Simulator

from . import equal
from .conftest import Basket, Customer, Order, Store, available, only_order, payment_of, text
from .test_equal_order import a_gift

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]

calls: list[Any] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


class OwnHooks:
    """What a shop may override in its view."""

    def handle_order_placement(self, order_number: str, user: Any, basket: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(("handle_order_placement", order_number, user.pk, basket.num_lines))
        return super().handle_order_placement(order_number, user, basket, *args, **kwargs)  # type: ignore[misc]

    def place_order(self, **kwargs: Any) -> Any:
        order = super().place_order(**kwargs)  # type: ignore[misc]
        method, total = kwargs["shipping_method"], kwargs["order_total"]
        calls.append(("place_order", order.number, order.status, method.code, total.incl_tax))
        return order

    def handle_successful_order(self, order: Any) -> HttpResponse:
        calls.append(("handle_successful_order", order.number))
        super().handle_successful_order(order)  # type: ignore[misc]
        return HttpResponseRedirect("/shop/our-own-thanks/")

    def send_order_placed_email(self, order: Any) -> None:
        mail.send_mail("Our own mail", order.number, None, [order.email])


def shop_with(settings: Settings, override: type) -> None:
    settings.ROOT_URLCONF = equal.shops_with(override).ours


def tab_closed(customer: Customer, khalti: Simulator, *products: Any) -> Payment:
    """Let a customer pay and close the tab: a job places the order."""
    payment = payment_of(customer.buy(*products))
    khalti.pay(payment.pidx or "")
    list(flow.reconcile())
    return payment


def later(by: timedelta = WAIT_FOR_CUSTOMER) -> None:
    """Let this much time pass for the outbox, and let a job send what is due."""
    waiting = outbox.Message.objects.filter(sent_at=None)
    for message in waiting:
        message.due_at -= by
        message.save(update_fields=["due_at"])
    outbox.deliver()


def hooks_of(order: Any, user: Any) -> list[Any]:
    return [
        ("handle_order_placement", order.number, user, 1),
        ("place_order", order.number, order.status, "standard", 500),
        ("handle_successful_order", order.number),
    ]


def test_a_shops_own_hooks_run_once_when_cash_is_paid_on_delivery(
    store: Store, sita: Customer, settings: Settings
) -> None:
    """M16"""
    shop_with(settings, OwnHooks)

    placed = sita.buy(store.notebook, method="cod")
    again = sita.place()
    later()

    assert placed["Location"] == "/shop/our-own-thanks/"
    assert again["Location"] == "/shop/checkout/thank-you/"
    assert calls == hooks_of(only_order(), sita.user.pk)
    assert [message.subject for message in mail.outbox] == ["Our own mail"]


def test_a_shops_own_hooks_run_once_when_the_customer_returns_from_khalti(
    store: Store, sita: Customer, khalti: Simulator, settings: Settings
) -> None:
    """M16"""
    shop_with(settings, OwnHooks)
    payment = payment_of(sita.buy(store.notebook))
    assert calls == []
    khalti.pay(payment.pidx or "")

    first = sita.return_from_khalti(payment)
    sita.return_from_khalti(payment)
    later()

    assert first.redirect_chain[-1][0] == "/shop/our-own-thanks/"
    assert calls == hooks_of(only_order(), sita.user.pk)
    assert [message.subject for message in mail.outbox] == ["Our own mail"]
    assert only_order().basket.status == Basket.SUBMITTED


@pytest.mark.parametrize("who", ["member", "guest"])
def test_a_shops_own_hooks_run_once_when_the_tab_was_closed(
    store: Store, sita: Customer, guest: Customer, khalti: Simulator, settings: Settings, who: str
) -> None:
    """M16"""
    shop_with(settings, OwnHooks)
    customer = sita if who == "member" else guest

    payment = tab_closed(customer, khalti, store.notebook)
    soon = list(calls)
    later()
    later()
    customer.return_from_khalti(payment)

    assert soon == []
    assert calls == hooks_of(only_order(), customer.user.pk if customer.user else None)
    assert [(message.subject, message.to) for message in mail.outbox] == [("Our own mail", [only_order().email])]


class Signal:
    """A receiver of ``post_checkout`` that keeps what a shop may use of it."""

    def __call__(self, sender: Any, order: Any, user: Any, request: Any, response: Any, **_more: Any) -> None:
        response.set_cookie("affiliate", "paid")
        seen = (
            request.COOKIES.get("affiliate"),
            request.get_host(),
            request.build_absolute_uri("/"),
            response["Location"],
        )
        calls.append((order.number, user.pk, *seen))


@pytest.fixture
def signal() -> Any:
    receiver = Signal()
    post_checkout.connect(receiver)
    yield
    post_checkout.disconnect(receiver)


def test_post_checkout_is_sent_with_the_customers_own_request_and_response(
    store: Store, sita: Customer, khalti: Simulator, signal: None
) -> None:
    """M16"""
    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    sita.browser.cookies["affiliate"] = "clicked"

    sita.return_from_khalti(payment)
    later()

    host = "testserver", "http://testserver/"
    assert calls == [(only_order().number, sita.user.pk, "clicked", *host, "/shop/checkout/thank-you/")]
    assert sita.browser.cookies["affiliate"].value == "paid"


def test_post_checkout_is_sent_by_a_job_when_the_tab_was_closed(
    store: Store, sita: Customer, khalti: Simulator, signal: None
) -> None:
    """M16"""
    tab_closed(sita, khalti, store.notebook)
    later()
    later()

    host = "127.0.0.1:8000", "http://127.0.0.1:8000/"
    assert calls == [(only_order().number, sita.user.pk, None, *host, "/shop/checkout/thank-you/")]
    assert not outbox.Message.objects.filter(sent_at=None).exists()


def test_of_a_page_and_a_job_at_once_one_calls_the_hooks(
    store: Store, sita: Customer, khalti: Simulator, signal: None
) -> None:
    """M16: the job has begun with the message, so that the page leaves it alone."""
    payment = tab_closed(sita, khalti, store.notebook)
    outbox.Message.objects.filter(function=LATE_HOOKS).update(attempts=1)

    page = sita.return_from_khalti(payment)

    assert page.redirect_chain[-1][0] == "/shop/checkout/thank-you/"
    assert calls == []


def test_a_hook_that_fails_leaves_a_placed_order_and_its_page(
    store: Store, sita: Customer, khalti: Simulator, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """M16"""

    class Broken:
        def handle_successful_order(self, order: Any) -> HttpResponse:
            raise ZeroDivisionError(order.number)

    shop_with(settings, Broken)
    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")

    page = sita.return_from_khalti(payment)

    assert page.redirect_chain[-1][0] == "/shop/checkout/thank-you/"
    assert only_order().number in text(page)
    assert only_order().status == "Paid"
    assert "ZeroDivisionError" in caplog.text


def test_a_mail_of_the_shops_own_dispatcher_is_sent_in_place_of_ours(
    store: Store, sita: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M16"""

    class OwnDispatcher(OrderDispatcher):
        def send_order_placed_email_for_user(self, order: Any, extra_context: Any, attachments: Any = None) -> None:
            mail.send_mail("From the dispatcher", str(extra_context["lines"]), None, [order.email])

    OwnDispatcher.__module__ = "shop.order.utils"
    monkeypatch.setattr("oscar.apps.order.utils.OrderDispatcher", OwnDispatcher)

    sita.buy(store.notebook, method="cod")

    assert [message.subject for message in mail.outbox] == ["From the dispatcher"]


def test_a_mail_that_staff_have_written_in_the_dashboard_is_sent_in_place_of_ours(
    store: Store, sita: Customer
) -> None:
    """M16"""
    get_model("communication", "CommunicationEventType").objects.create(
        code="ORDER_PLACED",
        name="Order placed",
        email_subject_template="Your parcel {{ order.number }}",
        email_body_template="{% for line in lines %}{{ line.title }} {{ line.line_price_incl_tax }}{% endfor %}",
    )

    sita.buy(store.notebook, method="cod")

    (message,) = mail.outbox
    assert (message.subject, message.body) == (f"Your parcel {only_order().number}", "Lokta notebook 500.00")


# Benefits that act when an order is placed


def test_a_deferred_benefit_acts_when_the_order_is_placed_and_not_while_it_is_held(
    store: Store, sita: Customer, khalti: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M16"""
    monkeypatch.setattr(equal.Gift, "given", [])
    a_gift(store)
    first = payment_of(sita.buy(store.notebook))
    khalti.cancel(first.pidx or "")
    sita.return_from_khalti(first)
    assert equal.Gift.given == []

    second = payment_of(sita.place())
    khalti.pay(second.pidx or "")
    sita.return_from_khalti(second)
    sita.return_from_khalti(second)

    assert equal.Gift.given == [("A ruler comes with your order", 0, 1)]
    assert Order.objects.get(status="Paid").discounts.get().message == "A ruler is in the parcel"


def test_a_deferred_benefit_that_fails_does_not_keep_a_paid_order_and_is_tried_again(
    store: Store, sita: Customer, khalti: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M16"""
    monkeypatch.setattr(equal.Gift, "given", [])
    a_gift(store)
    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    works = equal.Gift.apply_deferred
    monkeypatch.setattr(equal.Gift, "apply_deferred", lambda *_args: 1 / 0)
    sita.return_from_khalti(payment)
    assert only_order().status == "Paid"
    assert outbox.Message.objects.get(function=LATE_BENEFIT).sent_at is None

    monkeypatch.setattr(equal.Gift, "apply_deferred", works)
    later(timedelta(hours=1))
    later(timedelta(hours=1))

    assert equal.Gift.given == [("A ruler comes with your order", 0, 1)]
    assert only_order().discounts.get().message == "A ruler is in the parcel"
    assert not Flag.objects.exists()


# Order numbers


def test_a_generator_that_repeats_itself_still_gives_every_order_its_own_number(
    store: Store, sita: Customer, khalti: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M16: a basket whose payment was cancelled is ordered again."""
    for module in ("oscar.apps.order.utils", "oscar.apps.checkout.mixins"):
        monkeypatch.setattr(f"{module}.OrderNumberGenerator", equal.OwnNumbers)
    for _again in range(2):
        payment = payment_of(sita.buy() if Order.objects.exists() else sita.buy(store.notebook))
        khalti.cancel(payment.pidx or "")
        sita.return_from_khalti(payment)
    payment = payment_of(sita.place())
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)

    numbers = Order.objects.order_by("pk").values_list("number", "status")
    assert list(numbers) == [("2083-0001", "Cancelled"), ("2083-0001-2", "Cancelled"), ("2083-0001-3", "Paid")]
    assert Payment.objects.values("pidx").distinct().count() == 3


# What is not called


class Counts:
    def handle_order_placement(self, order_number: str, *args: Any, **kwargs: Any) -> HttpResponse:
        calls.append(order_number)
        return super().handle_order_placement(order_number, *args, **kwargs)  # type: ignore[misc, no-any-return]


class Bypassed:
    def get_initial_order_status(self, basket: Any) -> str:
        return "New"

    def handle_payment(self, order_number: str, total: Any, **kwargs: Any) -> None: ...


class PlacesBelow(StockDetailsView):
    def place_order(self, **kwargs: Any) -> Any:
        return super().place_order(**kwargs)


class OwnPlacing(OrderCreator):
    def place_order(self, *args: Any, **kwargs: Any) -> Any:
        return super().place_order(*args, **kwargs)


for kind in (Bypassed, Counts, PlacesBelow, OwnPlacing):
    kind.__module__ = "shop.checkout"


def warnings() -> list[str]:
    return [str(message.msg).split(" overrides")[0] for message in checks.messages() if message.id == checks.BYPASSED]


def test_the_check_names_what_is_not_called(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """M16"""
    assert warnings() == []
    shop_with(settings, OwnHooks)
    assert warnings() == []
    shop_with(settings, Bypassed)
    assert warnings() == ["shop.checkout.Bypassed.handle_payment", "shop.checkout.Bypassed.get_initial_order_status"]
    options = {**settings.LOYALINK_KHALTI, "OSCAR": {"OWN_METHODS": {"invoice": "Invoice"}}}
    settings.LOYALINK_KHALTI = options
    assert warnings() == ["shop.checkout.Bypassed.get_initial_order_status"]
    monkeypatch.setattr("oscar.apps.order.utils.OrderCreator", OwnPlacing)
    assert warnings()[-1] == "shop.checkout.OwnPlacing.place_order"


def test_the_check_names_a_mail_template_of_the_shop_that_is_not_used(settings: Settings, tmp_path: Path) -> None:
    """M16"""
    mail_template = tmp_path / "oscar" / "communication" / "emails" / "commtype_order_placed_body.txt"
    mail_template.parent.mkdir(parents=True)
    mail_template.write_text("Dhanyabad!")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]

    assert warnings() == [str(mail_template)]


def test_a_checkout_without_our_mixin_does_not_place_an_order_again(
    store: Store, sita: Customer, khalti: Simulator, settings: Settings
) -> None:
    """M16: the mixin was taken out while a customer was at Khalti."""
    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    view = type("View", (Counts, StockDetailsView), {"__module__": "shop.checkout"})
    settings.ROOT_URLCONF = equal.urls(view, equal.PaymentMethodView, equal.ThankYouView)

    page = sita.return_from_khalti(payment)

    assert page.redirect_chain[-1][0] == "/shop/checkout/thank-you/"
    assert calls == [only_order().number]
    assert len(mail.outbox) == 1


def test_the_check_names_a_view_that_our_mixin_hides(settings: Settings) -> None:
    """M16"""
    view = type("View", (KhaltiCheckoutMixin, PlacesBelow), {"__module__": "shop.checkout"})
    settings.ROOT_URLCONF = equal.urls(view, equal.PaymentMethodView, equal.ThankYouView)

    assert warnings() == ["shop.checkout.PlacesBelow.place_order"]


# What is deleted between the hold and the payment


def gone(name: str, store: Store) -> Any:
    """Return what deletes rows of Oscar's that a held order refers to."""
    return {
        "product": lambda: store.notebook.delete(),
        "partner": lambda: store.partner.delete(),
        "stock record": lambda: store.notebook.stockrecords.get().delete(),
        "category": lambda: store.category.delete(),
        "product class": lambda: (get_model("catalogue", "Product").objects.all().delete(), store.kind.delete()),
        "coupon": lambda: get_model("voucher", "Voucher").objects.all().delete(),
        "offer": lambda: get_model("offer", "ConditionalOffer").objects.all().delete(),
        "basket": lambda: only_order().basket.delete(),
        "address": lambda: only_order().shipping_address.delete(),
    }[name]


GONE = ["product", "partner", "stock record", "category", "product class", "coupon", "offer", "basket", "address"]


@pytest.mark.parametrize("name", GONE)
def test_what_is_deleted_while_the_customer_pays_does_not_lose_the_order(
    store: Store, sita: Customer, khalti: Simulator, name: str
) -> None:
    """M16, bad input: the customer has paid, and the order is placed as it was held."""
    store.coupon()
    sita.add(store.notebook)
    sita.use("WELCOME")
    payment = payment_of(sita.buy(points=100))
    gone(name, store)()
    khalti.pay(payment.pidx or "")

    page = sita.return_from_khalti(payment)
    later()

    order = only_order()
    assert page.redirect_chain[-1][0] == "/shop/checkout/thank-you/"
    assert (order.status, order.total_incl_tax, order.lines.get().title) == ("Paid", 390, "Lokta notebook")
    assert available(sita) == 1100 + 39
    assert len(mail.outbox) == 1
    assert not Flag.objects.exists()
    assert not outbox.Message.objects.filter(sent_at=None).exists()


@pytest.mark.parametrize("name", ["product", "partner", "stock record"])
def test_a_late_payment_for_what_was_deleted_waits_for_staff(
    store: Store, sita: Customer, khalti: Simulator, name: str
) -> None:
    """M16, bad input: nothing can be delivered, so no order is placed by itself; the money is on record."""
    payment = payment_of(sita.buy(store.notebook))
    khalti.expire(payment.pidx or "")
    flow.verify_payment(payment)
    gone(name, store)()
    khalti.complete(payment.pidx or "")

    flow.verify_payment(payment, ignore_back_off=True)

    payment.refresh_from_db()
    assert (payment.state, only_order().status) == ("paid", "Cancelled")
    assert [flag.reason for flag in payment.flags.all()] == ["sold_out"]
