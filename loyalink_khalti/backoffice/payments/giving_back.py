"""Give an order back from Wagtail: what is typed, what it would do, and only then the deed."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from wagtail.admin import messages
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.backoffice.guard import refused
from loyalink_khalti.errors import LoyalinkError, RefundBeyondLimit
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Refund
from loyalink_khalti.staff import may, refunding

from .page import OfPayment

REFUNDED = "loyalink_khalti.refund"
"""Log action."""


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("mobile"), name="dispatch")
class RefundView(OfPayment):
    """All or a part of an order: a form, a preview with cash and points, and a button that counts once."""

    permission = may.REFUND
    template_name = "loyalink_khalti/backoffice/payments/refund.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if why := self._why_not():
            messages.warning(request, why)
            return self.back()
        return self._page(refunding.RefundForm(purchase=self.purchase, initial=self._all_of_it))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = refunding.RefundForm(request.POST, purchase=self.purchase)
        if not form.is_valid():
            return self._page(form)
        if why := refunding.beyond(request.user, self.purchase, form.cash):
            return refused(request, why)
        if "confirm" not in request.POST or not form.cleaned_data["key"]:
            return self._page(form, quote=form.quote)
        return self._give_back(request, form)

    def _why_not(self) -> str:
        left = refunds.left(self.purchase)
        if self.payment.fulfilled_at is None or not left.goods + left.shipping:
            return _("Nothing of this order is left to be given back.")
        if refunds.pending(self.purchase):
            return _("Another refund of this order is not finished yet.")
        return ""

    def _give_back(self, request: HttpRequest, form: refunding.RefundForm) -> HttpResponse:
        by = str(request.user.pk)
        try:
            refund = form.asked.undo(
                self.purchase, key=form.cleaned_data["key"], by=by, seen=form.cleaned_data["seen"],
                within_limit=not self.may(may.REFUND_BEYOND_LIMIT),
            )  # fmt: skip
        except RefundBeyondLimit as exc:
            return refused(request, str(exc))
        except LoyalinkError as exc:
            messages.error(request, str(exc))
            return self.back()
        self._log(refund)
        level, words = refunding.tell(refund)
        getattr(messages, level)(request, words)
        return self.back()

    def _log(self, refund: Refund) -> None:
        told = {"refund": refund.key, "cash": refund.cash, "state": refund.state}
        log(instance=self.payment, action=REFUNDED, data=told)

    @cached_property
    def _all_of_it(self) -> dict[str, Any]:
        """What the link "give all of it back" fills in."""
        return refunding.initial_of_all(self.purchase) if "all" in self.request.GET else {}

    def _page(self, form: refunding.RefundForm, *, quote: flow.Back | None = None) -> HttpResponse:
        context = self.get_context_data(
            form=form,
            quote=quote,
            asked=form.asked if quote else None,
            key=refunding.fresh_key(),
            left=form.left,
            purchase=self.purchase,
            payment=self.payment,
        )
        return self.render_to_response(context)

    def get_page_title(self) -> str:
        return _("Give back order %(order)s") % {"order": self.name}

    def deeper(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Give back")}]
