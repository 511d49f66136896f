"""The page of one request: what it would refund, and the buttons with which a colleague approves or rejects it."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, RefundLimitExceeded
from loyalink_khalti.payments import refund_mobile
from loyalink_khalti.payments.refund_approvals import ApprovalState, RefundApproval
from loyalink_khalti.payments.refund_reasons import reason_label
from loyalink_khalti.staff import action_log, permissions
from loyalink_khalti.staff.access import PermissionRequired, forbidden
from loyalink_khalti.staff.fields import MobileField
from loyalink_khalti.staff.labels import refund_message


class DecisionForm(forms.Form):
    """Why it is rejected; the customer's Khalti number, where Khalti has asked for one."""

    note = forms.CharField(
        label=gettext_lazy("Note"),
        help_text=gettext_lazy("Why it is rejected. The colleague who has requested it reads this."),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    mobile = MobileField(
        label=gettext_lazy("Khalti number of the customer"),
        help_text=gettext_lazy("Khalti asked for it: they paid from a bank, and Khalti refunds to this account."),
        required=False,
    )

    def __init__(self, *args: Any, row: RefundApproval, rejects: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].required = rejects
        if row.payment is None or not refund_mobile.is_asked_for(row.payment):
            del self.fields["mobile"]


@method_decorator([transaction.non_atomic_requests, sensitive_post_parameters("mobile")], name="dispatch")
class RefundApprovalView(PermissionRequired, WagtailAdminTemplateMixin, TemplateView):
    """Approve or reject a colleague's request; the colleague may withdraw it."""

    permission = permissions.VIEW_PAYMENTS
    template_name = "loyalink_khalti/backoffice/approvals/page.html"
    header_icon = "rotate"
    kwargs: dict[str, Any]

    @cached_property
    def row(self) -> RefundApproval:
        rows = RefundApproval.objects.select_related("purchase", "payment", "refund")
        found: RefundApproval = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @property
    def order_name(self) -> str:
        return self.row.purchase.number or self.row.purchase.ref

    @property
    def actor(self) -> str:
        return str(self.request.user.pk)

    @property
    def is_own(self) -> bool:
        return self.row.requested_by == self.actor

    def may_decide(self) -> bool:
        """Return whether this user may approve and reject: never the requester."""
        return not self.is_own and self.has_permission(permissions.APPROVE_REFUNDS)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "reject" in request.POST:
            return self._reject(request)
        if "approve" not in request.POST:
            return self._leave()
        if self.is_own:
            return forbidden(request, _("You have requested this refund yourself. A colleague has to approve it."))
        if not self.may_decide():
            return forbidden(request)
        form = DecisionForm(request.POST, row=self.row)
        if not form.is_valid():
            return self._page(form)
        return self._approve(request, form)

    def _approve(self, request: HttpRequest, form: DecisionForm) -> HttpResponse:
        try:
            refund = flow.approve_refund(
                self.row,
                actor=self.actor,
                mobile=form.cleaned_data.get("mobile") or "",
                enforce_limit=not self.has_permission(permissions.REFUND_BEYOND_LIMIT),
            )
        except RefundLimitExceeded as exc:
            form.add_error(None, f"{exc} {_('Ask a colleague with permission for larger refunds to do it.')}")
            return self._page(form)
        except CannotRefund as exc:
            form.add_error(None, str(exc))
            return self._page(form)
        if refund.is_repeated:
            messages.info(request, _("This refund is approved already. It is made once."))
            return self._leave()
        action_log.log_refund(refund, user=request.user, action=action_log.REFUND_APPROVED)
        level, text = refund_message(refund)
        getattr(messages, level)(request, text)
        return self._leave()

    def _reject(self, request: HttpRequest) -> HttpResponse:
        if not self.is_own and not self.may_decide():
            return forbidden(request)
        form = DecisionForm(request.POST, row=self.row, rejects=not self.is_own)
        if not form.is_valid():
            return self._page(form)
        try:
            row = flow.reject_refund(self.row, actor=self.actor, note=form.cleaned_data["note"])
        except CannotRefund as exc:
            form.add_error(None, str(exc))
            return self._page(form)
        action_log.log_request(row, user=request.user)
        messages.success(request, _("%(state)s. No money has moved.") % {"state": row.get_state_display()})
        return self._leave()

    def _leave(self) -> HttpResponse:
        return HttpResponseRedirect(approval_url(self.row.pk))

    def _page(self, form: DecisionForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = RefundApproval.objects.select_related("purchase", "payment").get(pk=self.row.pk)
        names = flow.member_emails([row.requested_by, row.decided_by])
        cart = row.purchase.frozen_cart
        titles = {line.key: line.name for line in cart.lines}
        is_open = row.state == ApprovalState.REQUESTED
        return {
            **super().get_context_data(**kwargs),
            "row": row,
            "purchase": row.purchase,
            "cart": cart,
            "lines": [(number, titles.get(key, key), restock) for key, number, restock in row.lines],
            "reason": reason_label(row.reason),
            "requester": names.get(row.requested_by, row.requested_by),
            "decider": names.get(row.decided_by or "", row.decided_by or ""),
            "order_url": reverse("loyalink_khalti_order", args=[row.purchase_id]),
            "is_open": is_open,
            "is_own": self.is_own,
            "may_decide": is_open and self.may_decide(),
            "form": kwargs.get("form") or DecisionForm(row=row),
        }

    def get_page_title(self) -> str:
        return _("Refund to approve: order %(order)s") % {"order": self.order_name}

    def get_breadcrumbs_items(self) -> Any:
        return [*WagtailAdminTemplateMixin.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]


def approval_url(pk: int) -> str:
    """Return the URL of the page of a request."""
    return reverse("loyalink_khalti_refund_approval", args=[pk])
