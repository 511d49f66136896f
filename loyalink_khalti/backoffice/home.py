"""The dashboard of Wagtail's admin: payments to review, and the numbers of the loyalty programme."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from wagtail.admin.ui.components import Component

from loyalink_khalti import flow
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.loyalty import reports
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.admin_items import NumberItem

from . import links
from .reports.columns import format_number


class ReviewPanel(Component):
    """Payments that staff must review, and jobs that do not run."""

    name = "loyalink_khalti_review"
    template_name = "loyalink_khalti/backoffice/payments_to_review.html"
    order = 90

    def __init__(self, health: flow.Health, *, is_superuser: bool) -> None:
        self.health = health
        self.is_superuser = is_superuser

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        only_surplus = not self.health.open_flags and not self.health.without_order.payments
        return {"health": self.health, "is_superuser": self.is_superuser, "only_surplus": only_surplus}


def add_review_panel(request: HttpRequest, panels: list[Any]) -> None:
    """Add the panel for users who may see payments, if there is anything to report."""
    if not permissions.has_permission(request.user, permissions.VIEW_PAYMENTS):
        return
    health = flow.health()
    to_review = health.open_flags or health.without_order.payments or health.surplus.payments
    to_review = to_review or health.unmatched.payments or health.cancelled_orders
    jobs_fail = health.has_overdue_payments or health.stuck_messages or not health.is_reconciler_running
    jobs_fail = jobs_fail or bool(health.last_pass and health.last_pass.errors)
    if to_review or health.outages or jobs_fail:
        panels.append(ReviewPanel(health, is_superuser=bool(getattr(request.user, "is_superuser", False))))


def add_summary_items(request: HttpRequest, items: list[Any]) -> None:
    """Add members, points and liability for users who may see them; two statements in all."""
    sees_members = permissions.has_permission(request.user, permissions.VIEW_MEMBERS)
    sees_points = permissions.has_permission(request.user, permissions.VIEW_ENTRIES)
    if not sees_members and not sees_points:
        return
    now = reports.liability()
    movement_url = reverse("loyalink_khalti_report_movement")
    if sees_members:
        items.append(
            NumberItem(
                request, icon="group", number=format_number(now.members), order=500,
                label=ngettext("member with points", "members with points", now.members),
                url=links.members_url() or (movement_url if sees_points else ""),
            )
        )  # fmt: skip
    if sees_points:
        items += [
            NumberItem(
                request, icon="history", number=format_number(now.points), order=510,
                label=ngettext("point outstanding", "points outstanding", now.points),
                url=reverse("loyalink_khalti_report_ageing"),
            ),
            NumberItem(
                request, icon="table", number=npr(now.gross), order=520, label=_("points liability"), url=movement_url
            ),
        ]  # fmt: skip
