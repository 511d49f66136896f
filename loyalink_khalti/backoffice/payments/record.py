"""Record a refund that was made in Khalti's dashboard, or that a recorded one was not made."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotRefund, LoyalinkError, RefundLimitExceeded
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Payment, Refund
from loyalink_khalti.payments.refund_reasons import reason_label
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.consequences import recorded_refund, reversed_refund
from loyalink_khalti.staff.fields import ReasonField, RupeesField
from loyalink_khalti.staff.refund_form import RefundReasonField, new_key, refund_limit_error

from .page import PaymentPage

RECORDED, REVERSED = "loyalink_khalti.record_refund", "loyalink_khalti.reverse_refund"
"""Log actions."""


class RecordRefundForm(forms.Form):
    """The amount, its part for delivery, the day and a reason. ``seen_refund`` is the newest refund that was shown."""

    amount = RupeesField(
        label=gettext_lazy("Amount refunded, in rupees"),
        help_text=gettext_lazy("As Khalti's dashboard shows it."),
        minimum=Paisa(1),
        minimum_error=gettext_lazy("Enter an amount of more than 0."),
    )
    shipping = RupeesField(label=gettext_lazy("Of this, for delivery, in rupees"), required=False)
    made_on = forms.DateField(
        label=gettext_lazy("Day of the refund"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    reason = ReasonField()
    key = forms.CharField(max_length=64, widget=forms.HiddenInput, required=False)
    seen_refund = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, payment: Payment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.payment = payment
        self.consequences: list[str] = []
        self.fields["kind"] = RefundReasonField(site_key=payment.purchase.site_key)
        self.order_fields(["amount", "shipping", "made_on", "kind", "reason"])
        self.fields["reason"].label = _("Note")
        if payment.fulfilled_at is None or not _shipping_left(payment):
            del self.fields["shipping"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "seen_refund" in self.errors:
            raise ValidationError(_("This form is incomplete. Please open the page again."))
        if self.errors:
            return data
        shipping = data.get("shipping") or Paisa(0)
        try:
            self.consequences = recorded_refund(self.payment, amount=data["amount"], shipping=shipping)
            flow.check_refund_day(self.payment, data["made_on"])
        except CannotRefund as exc:
            if not data.get("key"):  # with a key it may have been recorded by this very form: the flow decides
                raise ValidationError(str(exc)) from exc
        return data


def _shipping_left(payment: Payment) -> int:
    """Return how much of the money for delivery is not refunded yet, in paisa."""
    purchase = payment.purchase
    return refunds.paid_for_shipping(purchase) - refunds.totals(purchase).shipping_amount


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class RecordRefundView(PaymentPage):
    """Record a refund made outside: the preview shows what follows, and the confirmation counts once."""

    permission = permissions.REFUND
    template_name = "loyalink_khalti/backoffice/payments/record.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.is_recordable:
            messages.warning(request, _("Nothing of this payment is left to refund."))
            return self.redirect_to_payment()
        today = day_of(timezone.now())
        initial = {"made_on": today, "seen_refund": refunds.newest_pk(self.purchase)}
        return self._page(RecordRefundForm(payment=self.payment, initial=initial))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = RecordRefundForm(request.POST, payment=self.payment)
        if not form.is_valid():
            return self._page(form)
        if "confirm" in request.POST and form.cleaned_data["key"]:
            return self._record(request, form)
        if error := refund_limit_error(request.user, self.purchase, form.cleaned_data["amount"]):
            return self._beyond_limit(form, error)
        return self._page(form, is_preview="change" not in request.POST)

    def _beyond_limit(self, form: RecordRefundForm, error: str) -> HttpResponse:
        """Show the form again, as it was typed: what was refunded outside is a fact, which no one can approve now."""
        way_out = _("Ask a colleague with permission for larger refunds to do it.")
        form.add_error("amount", f"{error} {way_out}")
        return self._page(form)

    def _record(self, request: HttpRequest, form: RecordRefundForm) -> HttpResponse:
        data = form.cleaned_data
        try:
            refund = flow.record_refund(
                self.payment,
                amount=data["amount"],
                shipping=data.get("shipping") or Paisa(0),
                made_on=data["made_on"],
                reason=data["reason"],
                listed_reason=data["kind"],
                actor=str(request.user.pk),
                key=f"record:{self.payment.pk}:{data['key']}",
                seen_refund=data["seen_refund"],
                enforce_limit=not self.has_permission(permissions.REFUND_BEYOND_LIMIT),
            )
        except RefundLimitExceeded as exc:
            return self._beyond_limit(form, str(exc))
        except LoyalinkError as exc:
            messages.error(request, str(exc))
            return self.redirect_to_payment()
        if not refund.is_repeated:
            logged = {
                "refund": refund.key, "amount": data["amount"], "state": refund.state, "reason": data["kind"]
            }  # fmt: skip
            log(instance=self.payment, action=RECORDED, title=self.payment.purchase_order_id, data=logged)
        messages.success(request, _("The refund of %(amount)s is recorded.") % {"amount": npr(data["amount"])})
        return self.redirect_to_payment()

    def _page(self, form: RecordRefundForm, *, is_preview: bool = False) -> HttpResponse:
        payment = self.payment
        left = Paisa((payment.captured or 0) - payment.refunded)
        context = self.get_context_data(
            form=form, is_preview=is_preview, key=new_key(), payment=payment, purchase=self.purchase, left=left,
            cart=self.purchase.frozen_cart,
            reason_text=reason_label(form.cleaned_data["kind"]) if is_preview else "",
        )  # fmt: skip
        return self.render_to_response(context)

    def get_page_title(self) -> str:
        return _("Record a refund of order %(order)s") % {"order": self.order_name}

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Record a refund")}]


class ReverseRefundForm(forms.Form):
    """A reason. ``seen_refund`` is the newest refund that was shown."""

    reason = ReasonField()
    seen_refund = forms.IntegerField(widget=forms.HiddenInput)


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ReverseRefundView(PaymentPage):
    """Take back the record of a refund that was not made; the page says what follows, and its button confirms."""

    permission = permissions.REFUND
    template_name = "loyalink_khalti/backoffice/payments/reverse.html"

    @cached_property
    def refund(self) -> Refund:
        refunds_of_payment = Refund.objects.select_related("purchase", "payment").filter(payment=self.payment)
        found: Refund = get_object_or_404(refunds_of_payment, pk=self.kwargs["refund"])
        return found

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not flow.is_reversible(self.refund):
            messages.warning(request, _("Khalti has confirmed this refund, or it is taken back already."))
            return self.redirect_to_payment()
        return self._page(ReverseRefundForm(initial={"seen_refund": refunds.newest_pk(self.purchase)}))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = ReverseRefundForm(request.POST)
        if not form.is_valid():
            return self._page(form)
        try:
            row = flow.reverse_refund(
                self.refund,
                actor=str(request.user.pk),
                reason=form.cleaned_data["reason"],
                seen_refund=form.cleaned_data["seen_refund"],
            )
        except LoyalinkError as exc:
            messages.error(request, str(exc))
            return self.redirect_to_payment()
        if not row.is_repeated:
            logged = {"refund": row.key, "amount": row.amount, "state": row.state}
            log(instance=self.payment, action=REVERSED, title=self.payment.purchase_order_id, data=logged)
        amount = {"amount": npr(Paisa(self.refund.amount))}
        messages.success(request, _("The refund of %(amount)s counts as not made.") % amount)
        return self.redirect_to_payment()

    def _page(self, form: ReverseRefundForm) -> HttpResponse:
        context = self.get_context_data(
            form=form, payment=self.payment, purchase=self.purchase, refund=self.refund,
            cart=self.purchase.frozen_cart,
            consequences=reversed_refund(self.refund),
        )  # fmt: skip
        return self.render_to_response(context)

    def get_page_title(self) -> str:
        return _("Refund of order %(order)s was not made") % {"order": self.order_name}

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Refund was not made")}]
