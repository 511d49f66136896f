"""The last seven days in five figures and a line, on the first page of Wagtail's admin."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from wagtail.admin.ui.components import Component

from loyalink_khalti import conf, flow
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import takings
from loyalink_khalti.staff import permissions

DAYS = 7
WIDTH, HEIGHT = 320, 60
"""Of the line, in pixels."""


class WeekPanel(Component):
    """What came in during the last seven days."""

    name = "loyalink_khalti_week"
    template_name = "loyalink_khalti/backoffice/takings/week.html"
    order = 95

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        today = day_of(timezone.now())
        since, environment = today - timedelta(days=DAYS - 1), flow.counted_environment()
        rows = takings.takings(since=since, until=today, environment=environment)
        days = [since + timedelta(days=number) for number in range(DAYS)]
        nets = [takings.total(row for row in rows if row.day == day).net for day in days]
        return {
            "total": takings.total(rows),
            "placed": takings.placed_orders(since=since, until=today),
            "days": list(zip(days, nets, strict=True)),
            "points": _points(nets),
            "width": WIDTH,
            "height": HEIGHT,
            "is_test": environment == conf.TEST,
            "url": f"{reverse('loyalink_khalti_report_takings')}?days_from={since}&days_to={today}",
        }


def _points(nets: list[Any]) -> str:
    """Return the points of an SVG line; the axis begins at 0, or lower where more went out than came in."""
    low, high = min([0, *nets]), max([1, *nets])
    step = WIDTH / (len(nets) - 1)
    heights = [round(HEIGHT - 4 - (net - low) * (HEIGHT - 8) / (high - low), 1) for net in nets]
    return " ".join(f"{round(index * step, 1)},{height}" for index, height in enumerate(heights))


def add_week_panel(request: HttpRequest, panels: list[Any]) -> None:
    """Add the panel for users who may see payments."""
    if permissions.has_permission(request.user, permissions.VIEW_PAYMENTS):
        panels.append(WeekPanel())
