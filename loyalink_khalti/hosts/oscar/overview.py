"""The dashboard's first page, with the figures of placed orders only."""

from datetime import timedelta
from typing import Any, cast

from django.db.models import Avg, Count, Sum
from django.utils import timezone
from oscar.apps.dashboard.views import IndexView as OscarIndexView
from oscar.core.loading import get_model

from . import orders


class IndexView(OscarIndexView):
    """Oscar counts every order row; what is only held is taken out of its figures here."""

    def get_stats(self) -> dict[str, Any]:
        placed = self._mine(orders.placed())
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

    def _mine(self, found: Any) -> Any:
        """A partner's staff see the orders with a line of that partner's."""
        user: Any = self.request.user
        if user.is_staff:
            return found
        return found.filter(lines__partner__in=user.partners.all()).distinct()
