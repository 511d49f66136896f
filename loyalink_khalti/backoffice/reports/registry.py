"""The reports of the package, in the order of Wagtail's menu."""

from collections.abc import Callable, Iterator

from django.urls import reverse

from loyalink_khalti.staff.admin_items import PermissionMenuItem

from .adjustments import AdjustmentsReport
from .ageing import AgeingReport
from .base import Report
from .movement import MovementReport
from .review import ReviewReport
from .settlement import SettlementReport
from .takings import TakingsReport
from .uncollected import UncollectedReport
from .unmatched import UnmatchedReport
from .unpaid import UnpaidReport

REPORTS: dict[str, type[Report]] = {
    "review": ReviewReport,
    "unmatched": UnmatchedReport,
    "unpaid": UnpaidReport,
    "uncollected": UncollectedReport,
    "takings": TakingsReport,
    "settlement": SettlementReport,
    "movement": MovementReport,
    "ageing": AgeingReport,
    "adjustments": AdjustmentsReport,
}
FIRST_IN_MENU = 100
"""Before Wagtail's own reports."""


def menu_items() -> Iterator[Callable[[], PermissionMenuItem]]:
    """Yield a function for each report: Wagtail calls it for one menu item."""
    for order, (name, report) in enumerate(REPORTS.items(), FIRST_IN_MENU):
        yield lambda order=order, name=name, report=report: PermissionMenuItem(  # type: ignore[misc]  # bound here
            report.page_title,
            reverse(report.index_url_name),
            permission=report.permission,
            name=f"loyalink-khalti-{name}",
            icon_name=report.header_icon,
            order=order,
        )
