"""What follows when an order is placed or changed: Oscar's signals, the order mail, and a shop's own hooks.

Oscar (4.2) places an order in one request, in ``OrderPlacementMixin``. Here it is held first and placed later, perhaps
by a job, so that Oscar's ``submit`` does not run. What follows there is done here, after the commit and once: the
signals and, in the request that shows the customer the order, a shop's own ``handle_order_placement``,
``place_order``, ``handle_successful_order`` and ``send_order_placed_email``. ``absent_customer`` calls these for a
customer who does not return; ``checks`` names what is not called.
"""

import logging
from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from oscar.apps.checkout import signals
from oscar.apps.checkout.applicator import SurchargeList, SurchargePrice
from oscar.apps.order.signals import order_placed as order_placed_signal
from oscar.apps.order.signals import order_status_changed
from oscar.core.loading import get_class, get_model
from oscar.core.prices import Price

from loyalink_khalti import flow, outbox
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.payments.models import Purchase

from . import pickup
from .settings import SHOP

log = logging.getLogger(__name__)

WAIT_FOR_CUSTOMER = timedelta(minutes=5)
"""How long the hooks of a placed order wait for the customer's own request."""
LATE_HOOKS = "loyalink_khalti.hosts.oscar.absent_customer.call_hooks"
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
    config: Any = apps.get_app_config("checkout")
    return view_class("checkout:preview") or config.payment_details_view


def view_class(url_name: str, *args: Any) -> Any:
    """Return the class of the view that the shop's URLs really use, None if there is none by that name."""
    try:
        view: Any = resolve("/" + reverse(url_name, args=args).removeprefix(get_script_prefix())).func
    except (NoReverseMatch, Resolver404):
        return None
    while not hasattr(view, "view_class") and hasattr(view, "__wrapped__"):
        view = view.__wrapped__
    return getattr(view, "view_class", None)


def view_for(request: HttpRequest) -> Any:
    """Return that view for a request, outside its own page."""
    kind = details_view()
    if not issubclass(kind, PlacedOrderMixin):  # a checkout without our mixin: it must not place the order again
        kind = type(kind.__name__, (PlacedOrderMixin, kind), {"__module__": __name__})
    view = kind()
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


def late_hooks(number: str) -> outbox.Message:
    """Return the message, to be posted with what places an order, that calls its hooks if no request does before."""
    return outbox.new_later(LATE_HOOKS, key=_key(number), delay=WAIT_FOR_CUSTOMER, number=number)


def call_hooks_once(view: Any, order: Any) -> HttpResponse | None:
    """Call the hooks of a placed order in the customer's request, unless they were called before.

    Return their response, None if there is none. A hook that fails is logged: the order is placed.
    """
    if not outbox.take(_key(order.number)):
        return None
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            return call_hooks(view, order)
    except Exception as exc:  # noqa: BLE001 - of the shop's own
        log.error("order %s: %s", order.number, safe_trace(exc))
        return None


def call_hooks(view: Any, order: Any) -> HttpResponse:
    signals.post_payment.send_robust(sender=view, view=view)
    view.placed_order = order
    if order.basket_id is not None and any(overriding(type(view), name) for name in PLACING):
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


def _key(number: str) -> str:
    return f"{SHOP}:placed:{number}"


def order_placed(number: str) -> None:
    """Send Oscar's signal, as ``OrderCreator`` would, and update the member's address book."""
    order = order_of(number)
    if order is None:
        return
    view = details_view()()
    for address in (order.shipping_address, order.billing_address):
        if order.user and pickup.has_place(address):
            view.update_address_book(order.user, address)
    creator = get_class("order.utils", "OrderCreator")()
    _send(order_placed_signal, creator, order=order, user=order.user or AnonymousUser())


def status_changed(number: str, before: str, after: str) -> None:
    """Send Oscar's signal, as ``set_status`` would."""
    order = order_of(number)
    if order is None:
        return
    _send(order_status_changed, order, order=order, old_status=before, new_status=after)


def stock_changed(pks: list[int]) -> None:
    """Let Oscar react to changed stock rows: low-stock alerts for staff, "back in stock" mails for customers."""
    for row in get_model("partner", "StockRecord").objects.filter(pk__in=pks).order_by("pk"):
        row.post_save_signal()


def send_order_mail(number: str) -> None:
    """Tell the customer that an order is placed: a message that the version before this one has left."""
    purchase = Purchase.objects.filter(shop=SHOP, ref=number).first()
    if purchase is not None and order_of(number) is not None:
        flow.tell_order_placed(purchase)


def order_of(number: str) -> Any:
    """Return an order, None if it was deleted since: then there is nothing to send any more."""
    orders = get_model("order", "Order").objects.select_related("user", "shipping_address__country")
    return orders.filter(number=number).first()


def _send(signal: Any, sender: Any, **payload: Any) -> None:
    """Call every receiver once: the failure of one must not make the outbox call the others again."""
    for receiver, result in signal.send_robust(sender=sender, **payload):
        if isinstance(result, Exception):
            log.error("%r failed on order %s", receiver, payload["order"].number, exc_info=result)
