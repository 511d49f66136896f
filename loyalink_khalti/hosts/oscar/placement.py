"""What a shop may override or connect to in Oscar's checkout: everything is called once, after its order is placed.

Oscar (4.2) places an order in one request, in ``OrderPlacementMixin``. Here it is held first and placed later, perhaps
by a job, so that Oscar's ``submit`` does not run. What follows a placed order there is done here instead: benefits of
offers that act then, the signals ``post_payment`` and ``post_checkout``, and a shop's own ``handle_order_placement``,
``place_order``, ``handle_successful_order`` and ``send_order_placed_email``. It happens in the request that shows the
customer the order or, if none does, in a job and with a request of its own. ``checks`` names what is not called.
"""

import logging
from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any, cast
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.fallback import FallbackStorage
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils import translation
from oscar.apps.checkout import signals
from oscar.apps.checkout.applicator import SurchargeList, SurchargePrice
from oscar.apps.offer.results import SHIPPING_DISCOUNT, BasketDiscount, PostOrderAction
from oscar.core.loading import get_class, get_model
from oscar.core.prices import Price

from loyalink_khalti import conf, flow, outbox
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.payments.models import Purchase

from .settings import SHOP

log = logging.getLogger(__name__)

WAIT_FOR_CUSTOMER = timedelta(minutes=5)
"""How long the hooks of a placed order wait for the customer's own request."""
LATE_HOOKS = "loyalink_khalti.hosts.oscar.placement.finish_without_customer"
LATE_BENEFIT = "loyalink_khalti.hosts.oscar.placement.apply_deferred_benefit"
PLACING = (
    "handle_order_placement",
    "place_order",
    "save_payment_details",
    "save_payment_events",
    "save_payment_sources",
)
"""Methods of ``OrderPlacementMixin`` that run in this order with what the order was placed with."""


def details_view() -> Any:
    """Return the class of the view that places orders in this shop: ours, or its own."""
    try:
        view: Any = resolve("/" + reverse("checkout:preview").removeprefix(get_script_prefix())).func
    except (NoReverseMatch, Resolver404):
        return apps.get_app_config("checkout").payment_details_view  # type: ignore[attr-defined]  # Oscar's
    while not hasattr(view, "view_class"):
        view = view.__wrapped__
    return view.view_class


def view_for(request: HttpRequest) -> Any:
    """Return that view for a request, outside its own page."""
    view = details_view()()
    view.setup(request)
    view.checkout_session = get_class("checkout.utils", "CheckoutSessionData")(request)
    return view


def overriding(kind: type, name: str) -> type | None:
    """Return the shop's class that overrides a method of Oscar's, None where it is Oscar's own or ours."""
    return next((base for base in kind.__mro__ if name in vars(base) and not _is_known(base)), None)


def _is_known(kind: type) -> bool:
    return kind.__module__.startswith(("oscar.", "loyalink_khalti."))


def numbers_are_the_shops(checkout: Any) -> bool:
    """Return whether a shop makes order numbers of its own."""
    generator = get_class("order.utils", "OrderNumberGenerator")
    return not _is_known(generator) or overriding(type(checkout), "generate_order_number") is not None


class PlacedOrderMixin:
    """For ``PaymentDetailsView``: Oscar's hooks after placement, around an order that is placed already."""

    placed_order: Any = None

    def place_order(self, *args: Any, **kwargs: Any) -> Any:
        """Return the order that the flow has placed; place it as Oscar does for a method of the shop's own."""
        if self.placed_order is None:
            return super().place_order(*args, **kwargs)  # type: ignore[misc]  # Oscar's
        self.save_payment_details(self.placed_order)  # type: ignore[attr-defined]  # Oscar's
        return self.placed_order

    def send_order_placed_email(self, order: Any) -> None:
        """Send the shop's own mail, if it has one. Ours is sent from the outbox."""
        if self.placed_order is None or sends_own_mail(type(self)):
            super().send_order_placed_email(order)  # type: ignore[misc]  # Oscar's


def sends_own_mail(view: Any) -> bool:
    """Return whether a shop overrides how its view sends the order mail, so that ours is not sent."""
    return any(overriding(view, name) for name in ("send_order_placed_email", "get_message_context"))


def post_hooks(number: str) -> None:
    """Let the hooks of an order follow, in the transaction that places it."""
    outbox.post_later(LATE_HOOKS, key=_key(number), delay=WAIT_FOR_CUSTOMER, number=number)


def finish_once(view: Any, order: Any) -> HttpResponse | None:
    """Call the hooks of a placed order in the customer's request, unless they were called before.

    Return their response, None if there is none. A hook that fails is logged: the order is placed.
    """
    if not outbox.take(_key(order.number)):
        return None
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            return _finish(view, order)
    except Exception as exc:  # noqa: BLE001 - of the shop's own
        log.error("order %s: %s", order.number, safe_trace(exc))
        return None


def finish_without_customer(number: str) -> None:
    """Call the hooks of a placed order whose customer has not returned. Called by the outbox."""
    order = get_model("order", "Order").objects.select_related("user", "basket").get(number=number)
    purchase = Purchase.objects.get(shop=SHOP, ref=number)
    with translation.override(purchase.language):
        try:
            _finish(view_for(_request_for(order, purchase)), order)
        except Exception as exc:  # noqa: BLE001 - of the shop's own; tried again, it might send what it has sent
            log.error("order %s: %s", number, safe_trace(exc))


def _finish(view: Any, order: Any) -> HttpResponse:
    signals.post_payment.send_robust(sender=view, view=view)
    view.placed_order = order
    if order.basket is not None and any(overriding(type(view), name) for name in PLACING):
        return cast(HttpResponse, view.handle_order_placement(**_placed_with(view, order)))
    return cast(HttpResponse, view.handle_successful_order(order))


def _placed_with(view: Any, order: Any) -> dict[str, Any]:
    """Return what Oscar passes to ``handle_order_placement``, as the order has it."""
    basket = order.basket
    basket.strategy = view.request.strategy
    return {
        "order_number": order.number,
        "user": order.user or AnonymousUser(),
        "basket": basket,
        "shipping_address": order.shipping_address,
        "shipping_method": _shipping_method(view, order, basket),
        "shipping_charge": _price(order, order.shipping_excl_tax, order.shipping_incl_tax, order.shipping_tax_code),
        "billing_address": order.billing_address,
        "order_total": _price(order, order.total_excl_tax, order.total_incl_tax),
        "surcharges": _surcharges(order),
        **({} if order.user_id else {"guest_email": order.guest_email}),
    }


def _price(order: Any, excl_tax: Decimal, incl_tax: Decimal, tax_code: str | None = None) -> Price:
    return Price(order.currency, excl_tax, incl_tax=incl_tax, tax_code=tax_code)


def _surcharges(order: Any) -> SurchargeList | None:
    rows = order.surcharges.order_by("pk")
    return (
        SurchargeList(SurchargePrice(row, _price(order, row.excl_tax, row.incl_tax, row.tax_code)) for row in rows)
        or None
    )


def _shipping_method(view: Any, order: Any, basket: Any) -> Any:
    methods = get_class("shipping.repository", "Repository")().get_shipping_methods(
        basket=basket, user=view.request.user, shipping_addr=order.shipping_address, request=view.request
    )
    return next((method for method in methods if method.code == order.shipping_code), None)


def _request_for(order: Any, purchase: Purchase) -> HttpRequest:
    """Return a request like the one in which the customer would have seen the order."""
    request: Any = HttpRequest()
    address = urlsplit(conf.site_url(purchase.site_key))
    port = str(address.port or (443 if address.scheme == "https" else 80))
    request.META |= {"SERVER_NAME": address.hostname or "localhost", "SERVER_PORT": port}
    request.META["wsgi.url_scheme"] = address.scheme
    request.method, request.path = "GET", reverse("checkout:thank-you")
    request.user = order.user or AnonymousUser()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore()
    request._messages = FallbackStorage(request)
    request.cookies_to_delete = []
    request.strategy = get_class("partner.strategy", "Selector")().strategy(request=request, user=request.user)
    request.basket = get_model("basket", "Basket")()
    request.basket.strategy = request.strategy
    return cast(HttpRequest, request)


def apply_deferred_benefits(order: Any, basket: Any) -> None:
    """Let the benefits act that offers defer until an order is placed, in the transaction that places it.

    One that fails does not keep a paid order from being placed: the outbox tries it again.
    """
    for discount in order.discounts.exclude(offer_id=None).order_by("pk"):
        try:
            with transaction.atomic():
                _apply_deferred(discount, order, basket)
        except Exception as exc:
            if flow.is_database_failure(exc):
                raise
            log.error("order %s, offer %s: %s", order.number, discount.offer_id, safe_trace(exc))
            outbox.post(LATE_BENEFIT, discount=discount.pk)


def apply_deferred_benefit(discount: int) -> None:
    """Let one benefit act that failed when its order was placed. Called by the outbox."""
    with transaction.atomic():
        row = get_model("order", "OrderDiscount").objects.select_related("order__basket").get(pk=discount)
        _apply_deferred(row, row.order, row.order.basket)


def _apply_deferred(discount: Any, order: Any, basket: Any) -> None:
    offer, voucher = discount.offer, discount.voucher
    if offer is None:  # it has been deleted since
        return
    if basket is not None and not basket.has_strategy:
        basket.strategy = get_class("partner.strategy", "Selector")().strategy(user=order.user or AnonymousUser())
    results = {
        discount.BASKET: lambda: BasketDiscount(discount.amount),
        discount.SHIPPING: lambda: SHIPPING_DISCOUNT,
        discount.DEFERRED: lambda: PostOrderAction(discount.message),
    }
    result = results[discount.category]()
    offer.set_voucher(voucher)
    application = {
        "offer": offer,
        "result": result,
        "name": offer.name,
        "description": result.description,
        "voucher": voucher,
        "freq": discount.frequency,
        "discount": discount.amount,
    }
    message = offer.apply_deferred_benefit(basket, order, application) or ""
    if message != discount.message:
        type(discount).objects.filter(pk=discount.pk).update(message=message)


def _key(number: str) -> str:
    return f"{SHOP}:placed:{number}"
