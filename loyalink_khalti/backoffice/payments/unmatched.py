"""One unmatched payment: what Khalti says, what the browser claims, and what staff may do, after a confirmation."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.backoffice.links import unmatched_url
from loyalink_khalti.errors import ApprovalNeeded, CannotRefund, CannotResolve, RefundLimitExceeded
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.unmatched import UnmatchedPayment, UnmatchedState, has_payment
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired, forbidden
from loyalink_khalti.staff.action_log import log_refund
from loyalink_khalti.staff.consequences import unmatched_consequences
from loyalink_khalti.staff.fields import ReasonField
from loyalink_khalti.staff.labels import payment_status, refund_message
from loyalink_khalti.staff.links import payment_url

UNMATCHED = "loyalink_khalti.unmatched"
"""Log action."""
ATTACH, REFUND, NOT_OURS, REOPEN = "attach", "refund", "not_ours", "reopen"
LABELS: dict[str, Any] = {
    ATTACH: gettext_lazy("Attach it to an order of this shop"),
    REFUND: gettext_lazy("Refund it at Khalti"),
    NOT_OURS: gettext_lazy("It belongs to another shop with this key"),
    REOPEN: gettext_lazy("Review it again"),
}


class UnmatchedForm(forms.Form):
    """What to do and why; for an attachment, the order."""

    action = forms.ChoiceField(label=gettext_lazy("Action"), widget=forms.RadioSelect)
    order = forms.CharField(
        label=gettext_lazy("Order"),
        max_length=128,
        required=False,
        help_text=gettext_lazy("Its number or reference in the shop. Exactly the amount above must be due for it."),
    )
    reason = ReasonField()

    def __init__(self, *args: Any, row: UnmatchedPayment, actions: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        self.purchase: Purchase | None = None
        self.consequences: list[str] = []
        field: Any = self.fields["action"]
        field.choices = [(action, LABELS[action]) for action in actions]
        if ATTACH not in actions:
            del self.fields["order"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("action") == ATTACH:
            self.purchase = self._find(data.get("order") or "")
        if not self.errors:
            self.consequences = unmatched_consequences(data["action"], self.row, self.purchase)
        return data

    def _find(self, name: str) -> Purchase | None:
        found = flow.purchases_named(name) if name else []
        if len(found) != 1:
            text = _("Several orders have this number.") if found else _("Enter the number of an order of this shop.")
            self.add_error("order", text)
            return None
        if obstacle := flow.attach_obstacle(found[0], list(found[0].payments.all()), self.row):
            self.add_error("order", ValidationError(obstacle))
        return found[0]


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("reason"), name="dispatch")
class UnmatchedView(PermissionRequired, WagtailAdminTemplateMixin, TemplateView):
    """The page of an unmatched payment. A form is previewed first, and counts when it is confirmed."""

    permission = permissions.VIEW_PAYMENTS
    post_permission = permissions.RESOLVE_FLAGS
    template_name = "loyalink_khalti/backoffice/payments/unmatched.html"
    header_icon = "help"
    page_title: Any = gettext_lazy("Unmatched payment")
    breadcrumbs_items: Any = [
        *WagtailAdminTemplateMixin.breadcrumbs_items,
        {"url": reverse_lazy("loyalink_khalti_report_unmatched"), "label": gettext_lazy("Unmatched payments")},
        {"url": "", "label": gettext_lazy("Unmatched payment")},
    ]
    kwargs: dict[str, Any]

    @cached_property
    def row(self) -> UnmatchedPayment:
        rows = UnmatchedPayment.objects.select_related("returned_to__purchase", "payment__purchase", "credentials")
        found: UnmatchedPayment = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def actions(self) -> tuple[str, ...]:
        """The actions for this user: a refund needs its own permission."""
        if not self.has_permission(permissions.RESOLVE_FLAGS):
            return ()
        if self.row.state == UnmatchedState.NOT_OURS:
            return (REOPEN,)
        if self.row.state != UnmatchedState.FOUND or has_payment(self.row):
            return ()
        return (ATTACH, REFUND, NOT_OURS) if self.has_permission(permissions.REFUND) else (ATTACH, NOT_OURS)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._page(UnmatchedForm(row=self.row, actions=self.actions, initial=self._initial()))

    def _initial(self) -> dict[str, str]:
        """Propose the order of the return address: that address is not guessed, but the customer confirms nothing."""
        hint = self.row.returned_to
        return {"order": hint.purchase.number or hint.purchase.ref} if hint else {}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = UnmatchedForm(request.POST, row=self.row, actions=self.actions)
        if request.POST.get("action") == REFUND and not self.has_permission(permissions.REFUND):
            return forbidden(request)
        if not self.actions:
            messages.info(request, _("There is nothing to do about this payment any more."))
            return self._back()
        if not form.is_valid():
            return self._page(form)
        if "confirm" not in request.POST:
            return self._page(form, is_preview=True)
        try:
            self._act(request, form)
        except ApprovalNeeded as exc:
            # It is a payment with a flag by now, on whose page a colleague's approval is asked for.
            messages.warning(
                request,
                f"{exc} "
                + _("The money is recorded as a payment, and its flag asks what to do: request the refund there."),
            )
            return self._back()
        except RefundLimitExceeded as exc:
            form.add_error(None, f"{exc} {_('Ask a colleague with permission for larger refunds to do it.')}")
            return self._page(form)
        except (CannotResolve, CannotRefund) as exc:
            form.add_error(None, str(exc))
            return self._page(form)
        return self._back()

    def _act(self, request: HttpRequest, form: UnmatchedForm) -> None:
        action, row = form.cleaned_data["action"], self.row
        why = {"actor": str(request.user.pk), "reason": form.cleaned_data["reason"]}
        if action == REFUND:
            enforce_limit = not self.has_permission(permissions.REFUND_BEYOND_LIMIT)
            refund = flow.refund_unmatched(row, enforce_limit=enforce_limit, **why)
            if not refund.is_repeated:
                log_refund(refund, user=request.user)
            level, text = refund_message(refund)
            getattr(messages, level)(request, text)
            return
        if action == ATTACH and form.purchase is not None:
            payment = Payment.objects.get(pk=flow.attach_unmatched(row, form.purchase, **why).pk)
            status = {"status": payment_status(payment).label}
            messages.success(request, _("Attached. The payment is now: %(status)s.") % status)
        elif action == NOT_OURS:
            flow.dismiss_unmatched(row, **why)
            messages.success(request, _("The payment counts as another shop's."))
        else:
            flow.reopen_unmatched(row, **why)
            messages.success(request, _("The payment is to be reviewed again."))
        log(instance=row, action=UNMATCHED, title=row.pidx, data={"action": action, "amount": row.amount})

    def _back(self) -> HttpResponse:
        row = UnmatchedPayment.objects.get(pk=self.row.pk)
        return HttpResponseRedirect(payment_url(row.payment.pk) if row.payment else unmatched_url(row.pk))

    def _page(self, form: UnmatchedForm, *, is_preview: bool = False) -> HttpResponse:
        row = self.row
        context = self.get_context_data(
            form=form, row=row, actions=self.actions, is_preview=is_preview,
            action=LABELS[form.cleaned_data["action"]] if is_preview else "",
            actor=flow.member_emails([row.actor]).get(row.actor, row.actor) if row.actor else "",
            payment_url=payment_url(row.payment.pk) if row.payment else "",
            returned_to_url=payment_url(row.returned_to.pk) if row.returned_to else "",
            is_waiting=row.state == UnmatchedState.WAITING,
        )  # fmt: skip
        return self.render_to_response(context)
