"""What an order leaves in Oscar's tables, made comparable; shops that place it with stock Oscar and with ours."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from types import ModuleType
from typing import Any

from django.apps import apps
from django.urls import include, path
from oscar.apps.checkout import signals
from oscar.apps.checkout.surcharges import FlatCharge, PercentageCharge
from oscar.apps.checkout.views import PaymentDetailsView as StockDetailsView
from oscar.apps.checkout.views import PaymentMethodView as StockMethodView
from oscar.apps.checkout.views import ThankYouView as StockThankYouView
from oscar.apps.offer.results import PostOrderAction
from oscar.apps.order.signals import order_placed
from oscar.apps.order.utils import OrderCreator, OrderNumberGenerator
from oscar.apps.partner import strategy as strategies
from oscar.apps.partner.prices import FixedPrice
from oscar.apps.shipping.methods import FixedPrice as FixedCharge

from loyalink_khalti.hosts.oscar.checkout import KhaltiCheckoutMixin, PaymentDetailsView, ThankYouView
from loyalink_khalti.hosts.oscar.payment_page import PaymentMethodView
from sandbox.urls import urlpatterns as shop

TABLES = {"order", "analytics", "partner", "offer", "voucher", "basket", "address", "communication", "customer"}
"""Apps of Oscar's whose rows are compared, every field of every model. Payment sources are payment's own."""

ALLOWED = {
    ("order.Order", "number"): "ours cannot be guessed; a shop's own generator is used, and then it is compared",
    ("order.Order", "status"): "ours says whether it is paid",
    ("communication.Email", "subject"): "our mail says how it was paid, and the points",
    ("communication.Email", "body_text"): "our mail says how it was paid, and the points",
    ("communication.Email", "body_html"): "our mail says how it was paid, and the points",
}
ALLOWED_TABLES = {"order.OrderStatusChange": "ours was held before it was placed"}

Rows = dict[str, list[dict[str, Any]]]


def rows(*, with_number: bool = False) -> Rows:
    """Return every row of Oscar's tables, with times as "set", and with relations as the position of the other row."""
    kinds = [kind for kind in apps.get_models() if kind._meta.app_label in TABLES]
    kinds = [kind for kind in kinds if kind._meta.label not in ALLOWED_TABLES]
    position = {
        kind: {pk: index for index, pk in enumerate(kind._base_manager.order_by("pk").values_list("pk", flat=True))}
        for kind in kinds
    }
    left_out = {field for field in ALLOWED if not (with_number and field == ("order.Order", "number"))}

    def value(row: Any, field: Any) -> Any:
        found = getattr(row, field.attname)
        if field.remote_field and field.related_model in position:
            return position[field.related_model].get(found)
        return "set" if isinstance(found, date | datetime) else found

    def of(row: Any) -> dict[str, Any]:
        label = row._meta.label
        fields = [field for field in row._meta.concrete_fields if not field.primary_key]
        found = {field.name: value(row, field) for field in fields if (label, field.name) not in left_out}
        for field in row._meta.many_to_many:
            others: dict[Any, int] = position.get(field.related_model, {})
            found[field.name] = sorted(others.get(each.pk, -1) for each in getattr(row, field.name).all())
        return found

    everything = {kind._meta.label: [of(row) for row in kind._base_manager.order_by("pk")] for kind in kinds}
    return {label: found for label, found in everything.items() if found}


@contextmanager
def counted() -> Iterator["Counter[str]"]:
    """Count the signals of a checkout."""
    seen: Counter[str] = Counter()
    watched = {
        "order_placed": order_placed,
        "pre_payment": signals.pre_payment,
        "post_payment": signals.post_payment,
        "post_checkout": signals.post_checkout,
    }
    receivers: dict[str, Callable[..., None]] = {}
    for name, signal in watched.items():

        def receive(name: str = name, **_payload: Any) -> None:
            seen[name] += 1

        receivers[name] = receive
        signal.connect(receive, weak=False)
    try:
        yield seen
    finally:
        for name, signal in watched.items():
            signal.disconnect(receivers[name])


def urls(details: Any, method: Any, thank_you: Any) -> ModuleType:
    """Return a URLconf of the demo store with these views in its checkout."""
    config: Any = apps.get_app_config("checkout")
    checkout = [
        path("", include("loyalink_khalti.hosts.oscar.urls")),
        path("preview/", details.as_view(preview=True), name="preview"),
        path("payment-details/", details.as_view(), name="payment-details"),
        path("payment-method/", method.as_view(), name="payment-method"),
        path("", config.index_view.as_view(), name="index"),
        path("shipping-address/", config.shipping_address_view.as_view(), name="shipping-address"),
        path("shipping-method/", config.shipping_method_view.as_view(), name="shipping-method"),
        path("thank-you/", thank_you.as_view(), name="thank-you"),
    ]
    conf = ModuleType(f"urls_of_{details.__name__}")
    conf.urlpatterns = [path("shop/checkout/", include((checkout, "checkout"))), *shop]  # type: ignore[attr-defined]
    return conf


class Shops:
    """One shop twice: on stock Oscar, and with our views. ``override`` is what the shop has changed in both."""

    def __init__(self, override: type | None = None) -> None:
        bases: tuple[type, ...] = (override,) if override else ()
        stock = type("StockDetails", (*bases, StockDetailsView), {"__module__": "shop.checkout.views"})
        ours = type(
            "OurDetails", (*bases, KhaltiCheckoutMixin, StockDetailsView), {"__module__": "shop.checkout.views"}
        )
        self.stock = urls(stock, StockMethodView, StockThankYouView)
        self.ours = urls(ours if override else PaymentDetailsView, PaymentMethodView, ThankYouView)


@cache
def shops_with(override: type | None) -> Shops:
    """Return the two shops, always the same: Django makes the resolver of a new URLconf in half a second."""
    return Shops(override)


# Taxes


class ThirteenPercent(
    strategies.UseFirstStockRecord, strategies.StockRequired, strategies.FixedRateTax, strategies.Structured
):
    """Prices without VAT; Nepal's VAT is added."""

    rate = Decimal("0.13")


class InclusiveTax(strategies.UseFirstStockRecord, strategies.StockRequired, strategies.Structured):
    """Prices with VAT in them, as most shops in Nepal write them."""

    def pricing_policy(self, product: Any, stockrecord: Any) -> Any:
        excl_tax = (stockrecord.price / Decimal("1.13")).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        return FixedPrice(
            currency=stockrecord.price_currency, excl_tax=excl_tax, tax=stockrecord.price - excl_tax, tax_code="VAT"
        )

    def parent_pricing_policy(self, product: Any, children_stock: Any) -> Any:
        return self.pricing_policy(product, children_stock[0][1])


class LateTax(strategies.UseFirstStockRecord, strategies.StockRequired, strategies.DeferredTax, strategies.Structured):
    """Taxes that are known once the address is: see ``AddsTax``."""


class AddsTax:
    """What Oscar's documentation has a shop do with taxes that are known late ("How to handle US taxes")."""

    def build_submission(self, **kwargs: Any) -> dict[str, Any]:
        submission: dict[str, Any] = super().build_submission(**kwargs)  # type: ignore[misc]
        if submission["shipping_address"] and submission["shipping_method"]:
            for line in submission["basket"].all_lines():
                line.purchase_info.price.tax = (line.purchase_info.price.excl_tax * 13 / 100).quantize(Decimal("0.01"))
            charge = submission["shipping_charge"]
            charge.tax = (charge.excl_tax * 13 / 100).quantize(Decimal("0.01"))
            submission["order_total"] = self.get_order_totals(  # type: ignore[attr-defined]
                submission["basket"], charge, surcharges=submission["surcharges"]
            )
        return submission


class TaxedDelivery(FixedCharge):
    """Delivery with VAT."""

    code, name, description = "taxed", "Delivery with VAT", ""
    charge_excl_tax, charge_incl_tax, tax_code = Decimal("99.99"), Decimal("112.99"), "VAT"


class LateTaxedDelivery(FixedCharge):
    """Delivery whose VAT is known late."""

    code, name, description = "late", "Delivery", ""
    charge_excl_tax, charge_incl_tax = Decimal("100.00"), None


def fees(self: Any, basket: Any, **_kwargs: Any) -> tuple[Any, ...]:
    """A shop's own surcharges: 2 % for packing, and a fee with VAT."""
    return PercentageCharge(Decimal("2.00")), FlatCharge(excl_tax=Decimal("20.00"), incl_tax=Decimal("22.60"))


# What a shop has forked


class OwnCreator(OrderCreator):
    """It writes more on every line, and keeps a note of each."""

    def create_line_models(self, order: Any, basket_line: Any, extra_line_fields: Any = None) -> Any:
        return super().create_line_models(order, basket_line, {"partner_line_notes": f"wrap {basket_line.quantity}"})

    def create_additional_line_models(self, order: Any, order_line: Any, basket_line: Any) -> None:
        order.notes.create(note_type="System", message=f"wrapped: {order_line.title}")


OwnCreator.__module__ = "shop.order.utils"


class OwnNumbers(OrderNumberGenerator):
    """Numbers as the shop's accountant wants them."""

    def order_number(self, basket: Any) -> str:
        return f"2083-{basket.num_items:04d}"


OwnNumbers.__module__ = "shop.order.utils"


class Gift:
    """A benefit that acts once the order is placed: an instance of Oscar's ``Benefit.proxy_class``."""

    given: list[tuple[str, Decimal, int]] = []

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def apply(self, basket: Any, condition: Any, offer: Any, **_kwargs: Any) -> PostOrderAction:
        condition.consume_items(offer, basket, ())
        return PostOrderAction("A ruler comes with your order")

    def apply_deferred(self, basket: Any, order: Any, application: Any) -> str:
        Gift.given.append((str(application["description"]), application["discount"], application["freq"]))
        order.notes.create(note_type="System", message=f"ruler for {basket.num_items}: {application['name']}")
        return "A ruler is in the parcel"

    def shipping_discount(self, charge: Decimal, currency: Any = None) -> Decimal:
        return Decimal("0.00")
