"""Resolve a Flag in Wagtail: the options, a reason that is kept, and what the answer does before it is confirmed."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from wagtail.admin import messages
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, CannotResolve, RefundLimitExceeded
from loyalink_khalti.flow import Resolution
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import refund_mobile
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.ports import PrivateText
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import forbidden
from loyalink_khalti.staff.consequences import consequences
from loyalink_khalti.staff.fields import MobileField, ReasonField, RupeesField
from loyalink_khalti.staff.labels import (
    RESOLUTIONS,
    flag_evidence,
    payment_status,
    refund_message,
    resolution_label,
)
from loyalink_khalti.staff.refund_form import approval_reason
from loyalink_khalti.staff.refund_steps import log_new_request, requested_message

from .page import PaymentPage

RESOLVED = "loyalink_khalti.resolve"
"""Log action."""


class ResolutionForm(forms.Form):
    """One of the options and a reason; amounts and a Khalti number where an option needs them."""

    resolution = forms.ChoiceField(label=gettext_lazy("Action"), widget=forms.RadioSelect)
    reason = ReasonField()
    amount = RupeesField(
        label=gettext_lazy("Amount refunded, in rupees"),
        help_text=gettext_lazy("As Khalti's dashboard shows it."),
        required=False,
    )
    shipping = RupeesField(label=gettext_lazy("Of this, for delivery, in rupees"), required=False)
    transaction_id = forms.CharField(
        label=gettext_lazy("If it is paid: Khalti's transaction ID"),
        help_text=gettext_lazy("As Khalti's dashboard shows it."),
        required=False, max_length=64,
    )  # fmt: skip
    mobile = MobileField(
        label=gettext_lazy("Khalti number of the customer"),
        help_text=gettext_lazy("Khalti asked for it: they paid from a bank, and Khalti refunds to this account."),
        required=False,
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, flag: Flag, options: tuple[Resolution, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.flag = flag
        self.consequences: list[str] = []
        self.fields["seen"].initial = _seen(flag)
        field: Any = self.fields["resolution"]
        field.choices = [(option.value, resolution_label(option, flag.payment)) for option in options]
        if len(options) == 1:
            field.initial = options[0].value
        if Resolution.RECORD_REFUND not in options:
            del self.fields["shipping"]
        if Resolution.RECORD_PAID in options:
            self.fields["amount"].label = _("If it is paid: the amount, in rupees")
        else:
            del self.fields["transaction_id"]
            if Resolution.RECORD_REFUND not in options:
                del self.fields["amount"]
        if Resolution.REFUND not in options or not refund_mobile.is_asked_for(flag.payment):
            del self.fields["mobile"]

    def clean_mobile(self) -> PrivateText:
        return PrivateText(self.cleaned_data["mobile"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        resolution = data.get("resolution")
        needs_amount = resolution in {Resolution.RECORD_REFUND, Resolution.RECORD_PAID}
        if needs_amount and not data.get("amount") and "amount" not in self.errors:
            self.add_error("amount", _("Enter the amount that Khalti's dashboard shows: more than 0."))
        if resolution == Resolution.RECORD_PAID and not data.get("transaction_id"):
            self.add_error("transaction_id", _("Enter the transaction ID that Khalti's dashboard shows."))
        if not self.errors:
            self._preview(data)
        return data

    def _preview(self, data: dict[str, Any]) -> None:
        try:
            self.consequences = consequences(
                Resolution(data["resolution"]),
                self.flag,
                amount=data.get("amount") or Paisa(0),
                shipping=data.get("shipping") or Paisa(0),
            )
        except CannotRefund as exc:
            raise ValidationError(str(exc)) from exc


def _seen(flag: Flag) -> str:
    """Return what the form keeps of the answer that its user has seen; "" for an open flag."""
    return flag.resolved_at.isoformat() if flag.resolved_at else ""


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("mobile"), name="dispatch")
class ResolveFlagView(PaymentPage):
    """The page on which staff resolve a Flag by name, or answer it again where the earlier answer was wrong."""

    permission = permissions.RESOLVE_FLAGS
    template_name = "loyalink_khalti/backoffice/payments/resolve.html"

    @cached_property
    def flag(self) -> Flag:
        flags = Flag.objects.select_related("payment__purchase", "payment__credentials")
        found: Flag = get_object_or_404(flags, pk=self.kwargs["pk"])
        return found

    @cached_property
    def payment(self) -> Payment:
        return self.flag.payment

    @cached_property
    def resolution_options(self) -> tuple[Resolution, ...]:
        """The options for this user: a refund and the recording of an outcome need their own permissions."""
        needed = dict.fromkeys(flow.RECORDED, permissions.RECORD_OUTCOME) | {Resolution.REFUND: permissions.REFUND}
        return tuple(
            option
            for option in flow.resolution_options(self.flag)
            if option not in needed or self.has_permission(needed[option])
        )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.flag.resolved_at is not None and not self.resolution_options:
            return self._already_resolved(request)
        return self._page(ResolutionForm(flag=self.flag, options=self.resolution_options))

    def _already_resolved(self, request: HttpRequest) -> HttpResponse:
        messages.info(request, _("Flag %(pk)s is already resolved.") % {"pk": self.flag.pk})
        return self.redirect_to_payment()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("seen", "") != _seen(self.flag):
            return self._already_resolved(request)
        needs_approval = ""
        if request.POST.get("resolution") == Resolution.REFUND:
            left = Paisa((self.payment.captured or 0) - self.payment.refunded)
            if not self.has_permission(permissions.REFUND):
                return forbidden(request)
            needs_approval = approval_reason(request.user, self.purchase, left)
        form = ResolutionForm(request.POST, flag=self.flag, options=self.resolution_options)
        if not form.is_valid():
            return self._page(form)
        is_uncertain = form.cleaned_data["resolution"] in flow.RECORDED and "certain" not in request.POST
        if "change" in request.POST:
            return self._page(form)
        if needs_approval and "ask" in request.POST:
            return self._ask(request, form)
        if "confirm" not in request.POST or is_uncertain or needs_approval:
            return self._page(form, is_preview=True, needs_approval=needs_approval)
        return self._resolve(request, form)

    def _ask(self, request: HttpRequest, form: ResolutionForm) -> HttpResponse:
        """Request that a colleague approves the refund; the flag stays open until the money has gone back."""
        key = f"flag:{self.flag.pk}:{self.purchase.refund_approvals.count()}"
        reason = form.cleaned_data["reason"]
        try:
            row = flow.request_payment_refund(self.payment, key=key, actor=str(request.user.pk), note=reason)
        except CannotRefund as exc:
            form.add_error(None, str(exc))
            return self._page(form)
        log_new_request(row, user=request.user)
        messages.success(request, requested_message(row))
        return self.redirect_to_payment()

    @method_decorator(sensitive_variables("data", "form"))
    def _resolve(self, request: HttpRequest, form: ResolutionForm) -> HttpResponse:
        data = form.cleaned_data
        try:
            flag = flow.resolve_flag(
                self.flag,
                Resolution(data["resolution"]),
                actor=str(request.user.pk),
                reason=data["reason"],
                amount=data.get("amount") or Paisa(0),
                shipping=data.get("shipping") or Paisa(0),
                transaction_id=data.get("transaction_id") or "",
                mobile=PrivateText(data.get("mobile") or ""),
                enforce_limit=not self.has_permission(permissions.REFUND_BEYOND_LIMIT),
            )
        except RefundLimitExceeded as exc:
            return self._page(form, is_preview=True, needs_approval=str(exc))
        except (CannotResolve, CannotRefund) as exc:
            form.add_error(None, str(exc))
            return self._page(form)
        logged = {"flag": flag.pk, "reason": flag.reason, "resolution": data["resolution"]}
        if data.get("transaction_id"):
            logged |= {"amount": data["amount"], "transaction": data["transaction_id"]}
        log(instance=self.payment, action=RESOLVED, title=self.payment.purchase_order_id, data=logged)
        self._show_outcome(request, flag, Resolution(data["resolution"]))
        return self.redirect_to_payment()

    def _show_outcome(self, request: HttpRequest, flag: Flag, resolution: Resolution) -> None:
        payment = Payment.objects.get(pk=self.payment.pk)
        if resolution is Resolution.REOPEN:
            messages.success(request, _("Flag %(pk)s is open again.") % {"pk": flag.pk})
            return
        if flag.resolved_at is None:
            refund = payment.refunds.order_by("-pk").first()
            level, text = refund_message(refund) if refund else ("warning", _("The flag stays open."))
            getattr(messages, level)(request, text)
            return
        values = {"pk": flag.pk, "status": payment_status(payment).label}
        messages.success(request, _("Flag %(pk)s is resolved. The payment is now: %(status)s.") % values)

    def _page(self, form: ResolutionForm, *, is_preview: bool = False, needs_approval: str = "") -> HttpResponse:
        context = self.get_context_data(
            form=form,
            action=resolution_label(Resolution(form.cleaned_data["resolution"]), self.payment) if is_preview else "",
            is_preview=is_preview,
            needs_approval=needs_approval,
            action_is_refund=is_preview and form.cleaned_data["resolution"] == Resolution.REFUND,
            cart=self.purchase.frozen_cart,
            is_recorded=is_preview and form.cleaned_data["resolution"] in flow.RECORDED,
            answer=RESOLUTIONS.get(self.flag.resolution) if self.flag.resolved_at else None,  # type: ignore[call-overload]  # a StrEnum's value is a key
            payment=self.payment,
            purchase=self.purchase,
            flag=self.flag,
            reason=REASONS[FlagReason(self.flag.reason)],
            evidence=flag_evidence(self.flag),
            options=self.resolution_options,
        )
        return self.render_to_response(context)

    def get_page_title(self) -> str:
        text = _("Resolve flag %(pk)s") if self.flag.resolved_at is None else _("Answer flag %(pk)s again")
        return text % {"pk": self.flag.pk}

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Flag %(pk)s") % {"pk": self.flag.pk}}]
