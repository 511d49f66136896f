"""Requests for refunds on the first page of the admin, and on the page of their order."""

from typing import Any

from django.http import HttpRequest
from wagtail.admin.ui.components import Component

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.refund_approvals import ApprovalState, RefundApproval
from loyalink_khalti.staff import permissions

from .page import approval_url

MOST = 20
"""Requests that the panel lists; the oldest come first."""


class ApprovalsPanel(Component):
    """Refunds that await a colleague's approval."""

    name = "loyalink_khalti_approvals"
    template_name = "loyalink_khalti/backoffice/approvals/panel.html"
    order = 85

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return {"rows": self.rows}


class ApprovalsSection(ApprovalsPanel):
    """The requests about one order."""

    name = "loyalink_khalti_order_approvals"
    template_name = "loyalink_khalti/backoffice/approvals/section.html"


def add_approvals_panel(request: HttpRequest, panels: list[Any]) -> None:
    """Add the panel for users who may approve or request refunds, if there is a request."""
    needed = (permissions.APPROVE_REFUNDS, permissions.REFUND)
    if not any(permissions.has_permission(request.user, each) for each in needed):
        return
    rows = RefundApproval.objects.filter(state=ApprovalState.REQUESTED).select_related("purchase").order_by("pk")
    if shown := _shown(list(rows[:MOST])):
        panels.append(ApprovalsPanel(shown))


def approvals_section(request: HttpRequest, purchase: Purchase) -> Component | None:
    """Return the requests about an order, newest first, for its page; None where there are none."""
    if not permissions.has_permission(request.user, permissions.VIEW_PAYMENTS):
        return None
    rows = list(purchase.refund_approvals.select_related("purchase").order_by("-pk"))
    return ApprovalsSection(_shown(rows)) if rows else None


def _shown(rows: list[RefundApproval]) -> list[dict[str, Any]]:
    names = flow.member_emails([row.requested_by for row in rows]) if rows else {}
    return [
        {
            "row": row,
            "order": row.purchase.number or row.purchase.ref,
            "url": approval_url(row.pk),
            "requester": names.get(row.requested_by, row.requested_by),
        }
        for row in rows
    ]
