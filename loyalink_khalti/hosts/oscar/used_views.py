"""Which views the URLs of the shop really use, forked or not, and what each must inherit from."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.urls import reverse
from django.utils.module_loading import import_string

from . import events

_HOST = "loyalink_khalti.hosts.oscar"
_UNPAID = "shows orders that are not paid yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the shop."""

    url_name: str
    args: tuple[Any, ...] = ()
    app: str
    """The label of the app whose AppConfig sets its view: ours for ``orders_dashboard`` those of all dashboards."""
    base: str
    """What its view must inherit from, below ``loyalink_khalti.hosts.oscar``."""
    fault: str
    """What the page does otherwise, after its path."""
    is_needed_to_pay: bool = False
    must_exist: bool = False


PAGES = (
    Page(
        url_name="checkout:payment-method",
        app="checkout",
        base="payment_page.KhaltiPaymentMethodMixin",
        fault="does not offer Khalti",
        is_needed_to_pay=True,
    ),
    Page(
        url_name="checkout:preview",
        app="checkout",
        base="checkout.KhaltiCheckoutMixin",
        fault="places orders without Khalti",
        is_needed_to_pay=True,
    ),
    Page(
        url_name="checkout:payment-details",
        app="checkout",
        base="checkout.KhaltiCheckoutMixin",
        fault="places orders without Khalti",
        is_needed_to_pay=True,
    ),
    Page(
        url_name="checkout:khalti",
        args=("A" * 22,),
        app="checkout",
        base="checkout.OscarPaymentReturnView",
        fault="is missing, the page to which customers return from Khalti",
        is_needed_to_pay=True,
        must_exist=True,
    ),
    Page(
        url_name="checkout:thank-you",
        app="checkout",
        base="checkout.KhaltiThankYouMixin",
        fault="shows neither the payment nor the points",
    ),
    Page(url_name="customer:order-list", app="customer", base="account.OrderHistoryView", fault=_UNPAID),
    Page(url_name="customer:order", args=("1",), app="customer", base="account.OrderDetailView", fault=_UNPAID),
    Page(url_name="customer:order-line", args=("1", 1), app="customer", base="account.OrderLineView", fault=_UNPAID),
    Page(
        url_name="customer:anon-order",
        args=("1", "a"),
        app="customer",
        base="account.AnonymousOrderDetailView",
        fault=_UNPAID,
    ),
    Page(
        url_name="dashboard:order-list",
        app="orders_dashboard",
        base="dashboard.OrderListView",
        fault=f"{_UNPAID}, among the others",
    ),
    Page(
        url_name="dashboard:order-detail",
        args=("1",),
        app="orders_dashboard",
        base="dashboard.OrderDetailView",
        fault="has neither refunds nor received payments",
    ),
    Page(
        url_name="dashboard:order-stats",
        app="orders_dashboard",
        base="dashboard_index.OrderStatsView",
        fault="counts orders that are not paid yet",
    ),
    Page(
        url_name="dashboard:index",
        app="orders_dashboard",
        base="dashboard_index.IndexView",
        fault="counts orders that are not paid yet",
    ),
    Page(
        url_name="dashboard:user-detail",
        args=(1,),
        app="orders_dashboard",
        base="dashboard_index.UserDetailView",
        fault=_UNPAID,
    ),
    Page(
        url_name="dashboard:reports-index",
        app="orders_dashboard",
        base="dashboard_index.ReportsView",
        fault="counts orders that are not paid yet",
    ),
)
RECIPE = "docs/hosts/oscar.md, “A shop that has forked Oscar's apps”, has an example."
_CONFIGS = {
    "checkout": "CheckoutConfig",
    "customer": "CustomerConfig",
    "orders_dashboard": "OrdersDashboardConfig",
}
"""Our AppConfig for each app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Pages whose views do not inherit from ours, and the one change that mends all of them."""

    text: str
    hint: str
    is_needed_to_pay: bool


def faults() -> Iterator[Fault]:
    """Yield what the shop's own apps and views leave out. Where an app is Oscar's own, its line is what is wrong."""
    by_hint: dict[str, list[tuple[Page, str]]] = {}
    for page in PAGES:
        if page.app not in apps.app_configs or is_stock(type(apps.app_configs[page.app])):
            continue
        for hint, text in _faults_of(page):
            by_hint.setdefault(hint, []).append((page, text))
    for hint, pages in by_hint.items():
        text = "; ".join(text for _page, text in pages)
        yield Fault(text=f"{text}.", hint=hint, is_needed_to_pay=any(page.is_needed_to_pay for page, _text in pages))


def _faults_of(page: Page) -> Iterator[tuple[str, str]]:
    view = events.view_class(page.url_name, *page.args)
    if view is None:
        if page.must_exist:
            yield _config_hint(page.app), f"{page.url_name} {page.fault}"
    elif issubclass(view, import_string(f"{_HOST}.{page.base}")) or (is_stock(view) and _is_ours(page.app)):
        return  # in the second case an app that is listed too late has set it again, which another check reports
    else:
        path = reverse(page.url_name, args=page.args)
        yield _hint(page, view), f"{path} {page.fault} (its view is {view.__module__}.{view.__name__})"


def is_stock(kind: type) -> bool:
    """Return whether a class is Oscar's own."""
    return kind.__module__.startswith("oscar.")


def _config_hint(label: str) -> str:
    own = type(apps.get_app_config(label))
    return (
        f"In {_file(own)}: `import {_HOST}.apps as apps` in place of Oscar's, so that class {own.__name__} inherits"
        f" from our {_CONFIGS[label]}. {RECIPE}"
    )


def _hint(page: Page, view: type) -> str:
    if is_stock(view):
        return _config_hint(page.app)
    module, _, base = f"{_HOST}.{page.base}".rpartition(".")
    name = base if base.startswith("Khalti") else f"Khalti{base}"  # the shop's own class has the same name
    imported = base if name == base else f"{base} as {name}"
    return (
        f"In {_file(view)}: class {view.__name__}({name}, …), ours before the other bases, with"
        f" `from {module} import {imported}`. {RECIPE}"
    )


def _is_ours(label: str) -> bool:
    kind: type = import_string(f"{_HOST}.apps.{_CONFIGS[label]}")
    return isinstance(apps.get_app_config(label), kind)


def _file(kind: type) -> str:
    return inspect.getsourcefile(kind) or kind.__module__
