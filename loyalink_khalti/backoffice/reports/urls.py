"""The addresses of the reports and their places in Wagtail's menu."""

from collections.abc import Callable, Iterator

from django.urls import URLPattern, path, reverse

from loyalink_khalti.backoffice.menu import GuardedItem

from .adjustments import AdjustmentsReport
from .ageing import AgeingReport
from .attention import AttentionReport
from .base import Report
from .movement import MovementReport
from .settlement import SettlementReport

REPORTS: dict[str, type[Report]] = {
    "attention": AttentionReport,
    "settlement": SettlementReport,
    "movement": MovementReport,
    "ageing": AgeingReport,
    "adjustments": AdjustmentsReport,
}
FIRST = 100
"""Where they begin in the menu: before Wagtail's own."""


def urls() -> list[URLPattern]:
    """Each report, and what of it is fetched again when a filter changes."""
    found = []
    for name, report in REPORTS.items():
        found.append(path(f"khalti/reports/{name}/", report.as_view(), name=report.index_url_name))
        results = report.as_view(results_only=True)
        found.append(path(f"khalti/reports/{name}/results/", results, name=report.index_results_url_name))
    return found


def menu_items() -> Iterator[Callable[[], GuardedItem]]:
    """What Wagtail asks for its menu of reports, one question an item."""
    for place, (name, report) in enumerate(REPORTS.items(), FIRST):
        yield lambda place=place, name=name, report=report: GuardedItem(  # type: ignore[misc]  # bound here
            report.page_title,
            reverse(report.index_url_name),
            permission=report.permission,
            name=f"loyalink-khalti-{name}",
            icon_name=report.header_icon,
            order=place,
        )
