"""Refund an order from Wagtail: a form, a preview, and a confirmation."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from wagtail.admin import messages

from loyalink_khalti import flow
from loyalink_khalti.backoffice.access import forbidden
from loyalink_khalti.errors import LoyalinkError, RefundLimitExceeded
from loyalink_khalti.payments import refunds
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.action_log import log_refund
from loyalink_khalti.staff.labels import refund_message
from loyalink_khalti.staff.refund_form import RefundForm, full_refund_initial, new_key, refund_limit_error

from .page import PaymentPage


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("mobile"), name="dispatch")
class RefundView(PaymentPage):
    """A full or partial refund: the preview shows money and points, and the confirmation counts once."""

    permission = permissions.REFUND
    template_name = "loyalink_khalti/backoffice/payments/refund.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if error := self._not_refundable():
            messages.warning(request, error)
            return self.redirect_to_payment()
        return self._page(RefundForm(purchase=self.purchase, initial=self._initial))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = RefundForm(request.POST, purchase=self.purchase)
        if not form.is_valid():
            return self._page(form)
        if error := refund_limit_error(request.user, self.purchase, form.refund_amount):
            return forbidden(request, error)
        if "confirm" not in request.POST or not form.cleaned_data["key"]:
            return self._page(form, quote=form.quote)
        return self._refund(request, form)

    def _not_refundable(self) -> str:
        if not self.is_refundable:
            return _("Nothing of this order is left to refund.")
        if refunds.pending(self.purchase):
            return _("Another refund of this order is not finished yet.")
        return ""

    def _refund(self, request: HttpRequest, form: RefundForm) -> HttpResponse:
        try:
            refund = form.refund_request.refund(
                self.purchase,
                key=form.cleaned_data["key"],
                actor=str(request.user.pk),
                seen_refund=form.cleaned_data["seen_refund"],
                enforce_limit=not self.has_permission(permissions.REFUND_BEYOND_LIMIT),
            )
        except RefundLimitExceeded as exc:
            return forbidden(request, str(exc))
        except LoyalinkError as exc:
            messages.error(request, str(exc))
            return self.redirect_to_payment()
        if not refund.is_repeated:
            log_refund(refund, user=request.user)
        level, text = refund_message(refund)
        getattr(messages, level)(request, text)
        return self.redirect_to_payment()

    @cached_property
    def _initial(self) -> dict[str, Any]:
        """What the link "Refund in full" fills in."""
        return full_refund_initial(self.purchase) if "all" in self.request.GET else {}

    def _page(self, form: RefundForm, *, quote: flow.RefundQuote | None = None) -> HttpResponse:
        context = self.get_context_data(
            form=form,
            quote=quote,
            refund_request=form.refund_request if quote else None,
            key=new_key(),
            left=form.left,
            purchase=self.purchase,
            payment=self.payment,
        )
        return self.render_to_response(context)

    def get_page_title(self) -> str:
        return _("Refund order %(order)s") % {"order": self.order_name}

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Refund")}]
