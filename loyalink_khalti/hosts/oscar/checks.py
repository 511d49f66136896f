"""What can be wrong with how this host is installed and configured; ``OscarShop.check`` yields it."""

from collections.abc import Iterator
from contextlib import suppress

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from oscar.core.loading import get_class, get_model

from loyalink_khalti.hosts.common.payment_methods import BUILT_IN

from . import events, used_views
from .settings import CURRENCY, Options, faults, options

_OPTIONS_HINT = (
    f'LOYALINK_KHALTI["OSCAR"] = {{"METHODS": {[str(code) for code in BUILT_IN]}}}, for example; see'
    " docs/configuration.md."
)
NAMED = 5
"""How many stock records a message names."""
BYPASSED = "loyalink_khalti.W042"
_APPS = "loyalink_khalti.hosts.oscar.apps"
_REPLACED = {
    "checkout": ("oscar.apps.checkout.apps.CheckoutConfig", "the checkout does not offer Khalti"),
    "customer": ("oscar.apps.customer.apps.CustomerConfig", "members see orders that are not paid yet"),
    "orders_dashboard": (
        "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
        "staff see orders that are not paid yet among the others",
    ),
}
"""Oscar's AppConfigs that ours replace, by app label, and what goes wrong with Oscar's own."""


_AT_PLACEMENT = "Do it in handle_order_placement or in a receiver of order_placed: they run once, after the placement."
_WHILE_HELD = "The order is held first: change what is written in create_order_model or create_line_models."
_VIEW_HINTS = {
    "handle_payment": 'Name your method in LOYALINK_KHALTI["OSCAR"]["OWN_METHODS"]: its orders run through it.',
    "get_initial_order_status": 'LOYALINK_KHALTI["OSCAR"] has the statuses: PAID, PENDING.',
    "create_shipping_address": "Override get_shipping_address, or build_submission.",
    "create_billing_address": "Override get_billing_address, or build_submission.",
    "freeze_basket": _AT_PLACEMENT,
    "restore_frozen_basket": "The basket of an unpaid order is opened again without it.",
}
_MAILS = tuple(f"oscar/communication/emails/commtype_order_placed_{part}" for part in ("subject.txt", "body.txt"))
_CREATOR_HINTS = {
    "place_order": _WHILE_HELD,
    "record_discount": _AT_PLACEMENT,
    "record_voucher_usage": _AT_PLACEMENT,
    "update_stock_records": _AT_PLACEMENT,
}


def messages() -> Iterator[checks.CheckMessage]:
    """Yield a message for each fault."""
    if settings.OSCAR_DEFAULT_CURRENCY != CURRENCY:
        text = f"The shop sells in {settings.OSCAR_DEFAULT_CURRENCY}; Khalti takes {CURRENCY}."
        yield checks.Error(text, hint=f'OSCAR_DEFAULT_CURRENCY = "{CURRENCY}"', id="loyalink_khalti.E009")
    for fault in faults():
        yield checks.Error(fault, hint=_OPTIONS_HINT, id="loyalink_khalti.E027")
    chosen = options()
    yield from _statuses(chosen)
    yield from _replaced_apps()
    yield from _used_views()
    yield from _order_of_apps()
    yield from _bypassed(chosen)


def foreign_prices() -> Iterator[checks.CheckMessage]:
    """Yield a message where prices in the database are not in rupees: those products cannot be ordered."""
    records = get_model("partner", "StockRecord").objects.exclude(price_currency=CURRENCY).filter(price__isnull=False)
    baskets = get_model("basket", "Basket").objects.filter(status__in=["Open", "Saved"])
    baskets = baskets.filter(lines__in=get_model("basket", "Line").objects.exclude(price_currency=CURRENCY)).distinct()
    number, in_baskets = records.count(), baskets.count()
    if not number and not in_baskets:
        return
    named = [
        f"“{record.product.get_title()}” ({record.partner_sku}, {record.price_currency})"
        for record in records.select_related("product__parent", "partner").order_by("pk")[:NAMED]
    ]
    more = f", and {number - NAMED} more" if number > NAMED else ""
    yield checks.Warning(
        f"Stock records with a price that is not in {CURRENCY}: {number}. Open baskets with such a product:"
        f" {in_baskets}. They cannot be ordered. {', '.join(named)}{more}",
        hint="Enter prices in rupees in the dashboard, under Catalogue. If the amounts are rupees already: python"
        " manage.py shell -c \"from oscar.core.loading import get_model; get_model('partner', 'StockRecord').objects"
        f".update(price_currency='{CURRENCY}'); get_model('basket', 'Line').objects"
        f".filter(basket__status__in=['Open', 'Saved']).update(price_currency='{CURRENCY}')\"",
        id="loyalink_khalti.W055",
    )


def _statuses(chosen: Options) -> Iterator[checks.CheckMessage]:
    pipeline = getattr(settings, "OSCAR_ORDER_STATUS_PIPELINE", {})
    names = (chosen.held, chosen.paid, chosen.pending, chosen.cancelled, chosen.refunded)
    if missing := [status for status in names if status not in pipeline]:
        yield checks.Error(
            f"OSCAR_ORDER_STATUS_PIPELINE lacks {', '.join(map(repr, missing))}.",
            hint=f'Add each and the statuses that may follow it: {{"{chosen.held}": (), "{chosen.pending}": (),'
            f' "{chosen.cancelled}": (), …}}. Other names go into LOYALINK_KHALTI["OSCAR"].',
            id="loyalink_khalti.E023",
        )
    for status in (chosen.held, chosen.cancelled):
        if exits := pipeline.get(status):
            yield checks.Warning(
                f"OSCAR_ORDER_STATUS_PIPELINE lets staff move {status!r} orders to {', '.join(map(repr, exits))}.",
                hint=f'"{status}": (): only Khalti\'s answer about the payment moves it.',
                id="loyalink_khalti.W024",
            )
    for status, exits in pipeline.items():
        for name in sorted(chosen.set_by_payment.intersection(exits)):
            yield checks.Warning(
                f"OSCAR_ORDER_STATUS_PIPELINE offers staff {name!r} after {status!r}, and the dashboard refuses it.",
                hint=f"Remove {name!r} there: only a payment moves an order to it (“Payment received”, for example).",
                id="loyalink_khalti.W028",
            )


def _replaced_apps() -> Iterator[checks.CheckMessage]:
    for label, (path, fault) in _REPLACED.items():
        config = type(apps.app_configs[label]) if label in apps.app_configs else None
        if config and f"{config.__module__}.{config.__qualname__}" == path:
            text, hint = f"{path} is still installed: {fault}.", f'In its place: "{_APPS}.{path.rpartition(".")[2]}"'
            if label == "checkout":
                yield checks.Error(text, hint=hint, id="loyalink_khalti.E025")
            else:
                yield checks.Warning(text, hint=hint, id="loyalink_khalti.W026")


def _used_views() -> Iterator[checks.CheckMessage]:
    """Report the pages of forked apps whose views are not ours."""
    for fault in used_views.faults():
        if fault.is_needed_to_pay:
            yield checks.Error(fault.text, hint=fault.hint, id="loyalink_khalti.E025")
        else:
            yield checks.Warning(fault.text, hint=fault.hint, id="loyalink_khalti.W026")


def _bypassed(chosen: Options) -> Iterator[checks.CheckMessage]:
    """Name what a shop overrides in Oscar and what does not run here: an order is held first, and placed later."""
    if "checkout" not in apps.app_configs:
        return
    for found, hint in _overrides_not_called(own_methods=bool(chosen.own_methods)):
        yield checks.Warning(
            f"{found} overrides Oscar's, but Khalti's orders do not run through it.", hint=hint, id=BYPASSED
        )


def _overrides_not_called(*, own_methods: bool) -> Iterator[tuple[str, str]]:
    """Yield what a shop overrides in Oscar without effect on our orders, with what to do about it.

    ``own_methods``: the shop has payment methods of its own; Oscar places their orders, and all of it is called.
    """
    view, creator = events.details_view(), get_class("order.utils", "OrderCreator")
    for kind, hints in ((view, _VIEW_HINTS), (creator, _CREATOR_HINTS)):
        for name, hint in hints.items():
            found = events.overriding(kind, name)
            if found is not None and not (name == "handle_payment" and own_methods):
                yield f"{found.__module__}.{found.__qualname__}.{name}", hint
    for name in _MAILS:
        with suppress(TemplateDoesNotExist):
            origin = getattr(getattr(get_template(name), "origin", None), "name", "")
            if "oscar/templates/oscar" not in str(origin).replace("\\", "/"):
                yield (
                    f"{origin}",
                    'Our order mail has templates of its own: "loyalink_khalti/oscar/mail/order_placed_…".',
                )
    for name in ("place_order", "submit"):
        found = events.overriding(view, name)
        if found is not None and not issubclass(found, events.PlacedOrderMixin) and _is_below(view, found):
            hint = f"Put KhaltiCheckoutMixin below {found.__qualname__} in the bases of {view.__qualname__}."
            yield f"{found.__module__}.{found.__qualname__}.{name}", hint


def _is_below(view: type, found: type) -> bool:
    """Return whether our mixin hides what ``found`` overrides."""
    order = list(view.__mro__)
    return events.PlacedOrderMixin in order and order.index(events.PlacedOrderMixin) < order.index(found)


def _order_of_apps() -> Iterator[checks.CheckMessage]:
    from .apps import overridden

    for label in overridden():
        yield checks.Warning(
            f"The app {label!r} comes after ours in INSTALLED_APPS and has replaced our views with its own.",
            hint="Put the lines of loyalink_khalti.hosts.oscar where Oscar's own lines were.",
            id="loyalink_khalti.W029",
        )
    names = [config.name for config in apps.get_app_configs()]
    if "oscar" in names and names.index("loyalink_khalti") > names.index("oscar"):
        yield checks.Warning(
            "loyalink_khalti comes after oscar in INSTALLED_APPS, so Oscar's templates hide some of ours.",
            hint='Put "loyalink_khalti" above "oscar".',
            id="loyalink_khalti.W030",
        )
