"""Our AppConfigs, to be named in ``INSTALLED_APPS`` in place of Oscar's own lines::

    "loyalink_khalti.hosts.oscar.apps.CheckoutConfig",         # for oscar.apps.checkout.apps.CheckoutConfig
    "loyalink_khalti.hosts.oscar.apps.CustomerConfig",         # for oscar.apps.customer.apps.CustomerConfig
    "loyalink_khalti.hosts.oscar.apps.OrdersDashboardConfig",  # for oscar.apps.dashboard.orders.apps.Orders…
    "loyalink_khalti.hosts.oscar.apps.SearchConfig",           # for oscar.apps.search.apps.SearchConfig (optional)

They keep Oscar's names and labels and only set other views, so nothing is forked and nothing migrates. Lines stay
where Oscar's were: ours follow those of ``catalogue``, ``dashboard``, ``dashboard.users`` and ``dashboard.reports``,
whose pages they correct. A shop that has forked ``checkout`` leaves that line alone and reads ``checkout``, and
``wagtail_hooks`` where it has forked ``dashboard.orders`` too.
"""

from typing import Any

from django.apps import apps
from django.contrib.auth.decorators import login_required
from django.core.checks import register
from django.urls import path
from oscar.apps.checkout.apps import CheckoutConfig as OscarCheckoutConfig
from oscar.apps.customer.apps import CustomerConfig as OscarCustomerConfig
from oscar.apps.dashboard.orders.apps import OrdersDashboardConfig as OscarOrdersDashboardConfig
from oscar.apps.search.apps import SearchConfig as OscarSearchConfig


class CheckoutConfig(OscarCheckoutConfig):
    """The payment page, "place order" by the flow, and the way back from Khalti."""

    def ready(self) -> None:
        super().ready()
        from . import checkout
        from .checks import run

        register(run)
        _open_in_wagtail()
        self.payment_method_view = checkout.PaymentMethodView
        self.payment_details_view = checkout.PaymentDetailsView
        self.thankyou_view = checkout.ThankYouView

    def get_urls(self) -> list[Any]:
        from .back import BackView

        # Beside Oscar's own, which may all ask for a log-in: the token is the proof here.
        return [path("khalti/<str:token>/", BackView.as_view(), name="khalti"), *super().get_urls()]


class CustomerConfig(OscarCustomerConfig):
    """The points card, the bonus for signing up; order pages without what was never placed."""

    def ready(self) -> None:
        super().ready()
        from oscar.apps.customer.signals import user_registered

        from . import account, welcome

        user_registered.connect(welcome.registered, dispatch_uid="loyalink_khalti.welcome")
        self.order_history_view = account.OrderHistoryView
        self.order_detail_view = account.OrderDetailView
        self.order_line_view = account.OrderLineView
        self.anon_order_form_view = account.AnonymousOrderFormView
        self.anon_order_detail_view = account.AnonymousOrderDetailView

    def get_urls(self) -> list[Any]:
        from .account import PointsView

        return [path("points/", login_required(PointsView.as_view()), name="points"), *super().get_urls()]


class OrdersDashboardConfig(OscarOrdersDashboardConfig):
    """Orders, figures, customers and reports without what was never placed; "Payment received"."""

    def ready(self) -> None:
        super().ready()
        from . import dashboard, overview

        _open_in_wagtail()
        self.order_list_view = dashboard.OrderListView
        self.order_detail_view = dashboard.OrderDetailView
        self.order_stats_view = dashboard.OrderStatsView
        apps.get_app_config("dashboard").index_view = overview.IndexView  # type: ignore[attr-defined]  # Oscar's
        apps.get_app_config("users_dashboard").user_detail_view = dashboard.UserDetailView  # type: ignore[attr-defined]
        apps.get_app_config("reports_dashboard").index_view = dashboard.ReportsView  # type: ignore[attr-defined]


class SearchConfig(OscarSearchConfig):
    """Catalogue and search by database queries; Haystack's ``simple`` backend is enough."""

    def ready(self) -> None:
        super().ready()
        from . import search

        self.search_view = search.SearchView
        catalogue: Any = apps.get_app_config("catalogue")
        catalogue.catalogue_view = search.CatalogueView
        catalogue.category_view = search.ProductCategoryView


def _open_in_wagtail() -> None:
    """Bring the goods into Wagtail's admin and its pages into Oscar's menu, where there is one."""
    if apps.is_installed("wagtail.admin"):
        from . import wagtail_hooks  # noqa: F401 - registers the hooks


def misplaced() -> list[str]:
    """The lines of ``INSTALLED_APPS`` that come too late: Oscar has set its own views over ours."""
    pages = {
        "dashboard": "index_view",
        "users_dashboard": "user_detail_view",
        "reports_dashboard": "index_view",
        "catalogue": "catalogue_view",
    }
    ours: dict[type, tuple[str, ...]] = {
        OrdersDashboardConfig: ("dashboard", "users_dashboard", "reports_dashboard"),
        SearchConfig: ("catalogue",),
    }
    here = __name__.rpartition(".")[0]
    return [
        label
        for config in apps.get_app_configs()
        for label in ours.get(type(config), ())
        if not getattr(apps.get_app_config(label), pages[label]).__module__.startswith(here)
    ]
