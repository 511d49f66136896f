"""Our AppConfigs, to list in ``INSTALLED_APPS`` in place of Oscar's own::

    "loyalink_khalti.hosts.oscar.apps.CheckoutConfig",         # for oscar.apps.checkout.apps.CheckoutConfig
    "loyalink_khalti.hosts.oscar.apps.CustomerConfig",         # for oscar.apps.customer.apps.CustomerConfig
    "loyalink_khalti.hosts.oscar.apps.OrdersDashboardConfig",  # for oscar.apps.dashboard.orders.apps.Orders…
    "loyalink_khalti.hosts.oscar.apps.SearchConfig",           # for oscar.apps.search.apps.SearchConfig (optional)

They keep Oscar's names and labels and only set other views, so nothing is forked and nothing migrates. The lines
stay where Oscar's were: ours come after ``catalogue``, ``dashboard``, ``dashboard.users`` and ``dashboard.reports``,
whose views they replace.

A shop that has forked one of these apps keeps its own line, and lets its AppConfig inherit from ours in place of
Oscar's. A view of the shop's own is never replaced; ``used_views`` says which of ours it must inherit from.
"""

from typing import Any

from django.apps import apps
from django.contrib.auth.decorators import login_required
from django.urls import path
from oscar.apps.checkout.apps import CheckoutConfig as OscarCheckoutConfig
from oscar.apps.customer.apps import CustomerConfig as OscarCustomerConfig
from oscar.apps.dashboard.orders.apps import OrdersDashboardConfig as OscarOrdersDashboardConfig
from oscar.apps.search.apps import SearchConfig as OscarSearchConfig


class CheckoutConfig(OscarCheckoutConfig):
    """The payment page, "place order" by the flow, and the return from Khalti."""

    def ready(self) -> None:
        super().ready()
        from . import checkout, payment_page, pickup

        _connect()
        _use(self, "shipping_address_view", pickup.ShippingAddressView)
        _use(self, "shipping_method_view", pickup.ShippingMethodView)
        _use(self, "payment_method_view", payment_page.PaymentMethodView)
        _use(self, "payment_details_view", checkout.PaymentDetailsView)
        _use(self, "thankyou_view", checkout.ThankYouView)

    def get_urls(self) -> list[Any]:
        from .checkout import OscarPaymentReturnView

        # Apart from Oscar's own, which may all require a log-in: here the token is the proof.
        return [
            path("khalti/<payment_token:token>/", OscarPaymentReturnView.as_view(), name="khalti"),
            *super().get_urls(),
        ]


class CustomerConfig(OscarCustomerConfig):
    """The points card, the bonus for signing up, and order pages of placed orders alone."""

    def ready(self) -> None:
        super().ready()
        from oscar.apps.customer.signals import user_registered

        from . import account, cancellations, deleted_orders

        deleted_orders.protect()
        cancellations.watch()
        user_registered.connect(account.award_bonus_on_registration, dispatch_uid="loyalink_khalti.signup_bonus")
        _use(self, "order_history_view", account.OrderHistoryView)
        _use(self, "order_detail_view", account.OrderDetailView)
        _use(self, "order_line_view", account.OrderLineView)
        _use(self, "anon_order_form_view", account.AnonymousOrderFormView)
        _use(self, "anon_order_detail_view", account.AnonymousOrderDetailView)

    def get_urls(self) -> list[Any]:
        from .account import FindOrderView, PointsView

        return [
            path("points/", login_required(PointsView.as_view()), name="points"),
            path("find-order/", FindOrderView.as_view(), name="find-order"),
            *super().get_urls(),
        ]


class OrdersDashboardConfig(OscarOrdersDashboardConfig):
    """Orders, figures, customers and reports of placed orders alone; "Payment received" and refunds."""

    def ready(self) -> None:
        super().ready()
        from . import dashboard, dashboard_index

        _connect()
        _use(self, "order_list_view", dashboard.OrderListView)
        _use(self, "order_detail_view", dashboard.OrderDetailView)
        _use(self, "order_stats_view", dashboard_index.OrderStatsView)
        views = {
            "dashboard": ("index_view", dashboard_index.IndexView),
            "users_dashboard": ("user_detail_view", dashboard_index.UserDetailView),
            "reports_dashboard": ("index_view", dashboard_index.ReportsView),
        }
        for label, (name, view) in views.items():
            _use(apps.get_app_config(label), name, view)


class SearchConfig(OscarSearchConfig):
    """Catalogue and search by database queries; Haystack's ``simple`` backend is enough."""

    def ready(self) -> None:
        super().ready()
        from .catalogue import search

        _use(self, "search_view", search.SearchView)
        _use(apps.get_app_config("catalogue"), "catalogue_view", search.CatalogueView)
        _use(apps.get_app_config("catalogue"), "category_view", search.ProductCategoryView)


def _use(config: Any, name: str, view: type) -> None:
    """Use our view for an app in place of Oscar's. One of the shop's own stays: it inherits from ours, or not."""
    if getattr(config, name).__module__.startswith("oscar."):
        setattr(config, name, view)


def _connect() -> None:
    """Protect orders from deletion, notice cancellations; bring products into Wagtail's admin, its pages into ours."""
    from . import cancellations, deleted_orders

    deleted_orders.protect()
    cancellations.watch()
    if apps.is_installed("wagtail.admin"):
        from . import wagtail_hooks  # noqa: F401 - registers the hooks


def overridden() -> list[str]:
    """Return the labels of Oscar's apps that are listed too late in ``INSTALLED_APPS``: their views replaced ours."""
    views = {
        "dashboard": "index_view",
        "users_dashboard": "user_detail_view",
        "reports_dashboard": "index_view",
        "catalogue": "catalogue_view",
    }
    replaced: dict[type, tuple[str, ...]] = {
        OrdersDashboardConfig: ("dashboard", "users_dashboard", "reports_dashboard"),
        SearchConfig: ("catalogue",),
    }
    return [
        label
        for config in apps.get_app_configs()
        for kind, labels in replaced.items()
        if isinstance(config, kind)
        for label in labels
        if getattr(apps.get_app_config(label), views[label]).__module__.startswith("oscar.")
    ]
