"""The dashboard's figures, reports and customer pages, with placed orders alone."""

from datetime import timedelta
from typing import Any, cast

from django.db.models import Avg, Count, Prefetch, Sum
from django.utils import timezone
from oscar.apps.dashboard.orders.views import OrderStatsView as OscarOrderStatsView
from oscar.apps.dashboard.reports.views import IndexView as OscarReportsView
from oscar.apps.dashboard.users.views import UserDetailView as OscarUserDetailView
from oscar.apps.dashboard.views import IndexView as OscarIndexView
from oscar.core.loading import get_model

from . import orders


class IndexView(OscarIndexView):
    """The dashboard's first page. Oscar (4.2) counts every order row; here held ones do not count."""

    def get_stats(self) -> dict[str, Any]:
        placed = self._visible(orders.placed())
        today = placed.filter(date_placed__gt=timezone.now() - timedelta(hours=24))
        lines = get_model("order", "Line").objects
        return cast(dict[str, Any], super().get_stats()) | {
            "total_orders_last_day": today.count(),
            "total_lines_last_day": lines.filter(order__in=today).count(),
            "average_order_costs": today.aggregate(rupees=Avg("total_incl_tax"))["rupees"] or 0,
            "total_revenue_last_day": today.aggregate(rupees=Sum("total_incl_tax"))["rupees"] or 0,
            "hourly_report_dict": self.get_hourly_report(placed),
            "total_orders": placed.count(),
            "total_lines": lines.filter(order__in=placed).count(),
            "total_revenue": placed.aggregate(rupees=Sum("total_incl_tax"))["rupees"] or 0,
            "order_status_breakdown": placed.order_by("status").values("status").annotate(freq=Count("id")),
        }

    def _visible(self, found: Any) -> Any:
        """Leave a partner's staff the orders with a line of that partner."""
        user: Any = self.request.user
        if user.is_staff:
            return found
        return found.filter(lines__partner__in=user.partners.all()).distinct()


class OrderStatsView(OscarOrderStatsView):
    """Counts and revenue of placed orders."""

    def get_stats(self, filters: dict[str, Any]) -> Any:
        return super().get_stats({**filters, "pk__in": orders.placed().order_by().values("pk")})


class UserDetailView(OscarUserDetailView):
    """A customer with the orders that they placed."""

    def get_queryset(self) -> Any:
        placed = orders.placed().prefetch_related("lines", "surcharges")
        return self.model.objects.prefetch_related(Prefetch("orders", queryset=placed))


class ReportsView(OscarReportsView):
    """Reports on placed orders."""

    def _get_generator(self, form: Any) -> Any:
        generator = super()._get_generator(form)
        if getattr(generator.queryset, "model", None) is get_model("order", "Order"):
            generator.queryset = orders.placed(generator.queryset)
        return generator
