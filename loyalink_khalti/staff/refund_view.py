"""Refund an order on a page of Wagtail's admin: a form, a preview, and a confirmation that counts once."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic.base import ContextMixin, TemplateResponseMixin, View
from wagtail.admin import messages

from loyalink_khalti import flow
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase

from . import permissions
from .refund_form import RefundForm, full_refund_initial, new_key
from .refund_steps import Step, StepDone, take_step


class RefundViewMixin(TemplateResponseMixin, ContextMixin, View):
    """A full or partial refund: the preview shows money and points. It comes first, before a page about an order."""

    permission = permissions.REFUND
    template_name = "loyalink_khalti/staff/refund.html"
    purchase: Any
    """The ``Purchase``."""
    order_name: Any
    back_url: Any
    """The URL of the order's page, to which the form returns."""

    def obstacle(self) -> str:
        """Return why no refund can be begun, as a sentence for staff; "" where one can."""
        return refund_obstacle(self.purchase)

    @method_decorator([transaction.non_atomic_requests, sensitive_post_parameters("mobile", "note")])
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if error := self.obstacle():
            messages.warning(request, error)
            return self._leave()
        return self._page(StepDone(form=RefundForm(purchase=self.purchase, initial=self._initial)))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        step = next((step for step in Step if step.value in request.POST), Step.PREVIEW)
        done = take_step(step, self.purchase, request.POST, user=request.user)
        if not done.level:
            return self._page(done)
        getattr(messages, done.level)(request, done.text)
        return self._leave()

    def _leave(self) -> HttpResponse:
        return HttpResponseRedirect(self.back_url)

    @cached_property
    def _initial(self) -> dict[str, Any]:
        """What the link "Refund in full" fills in."""
        return full_refund_initial(self.purchase) if "all" in self.request.GET else {}

    def _page(self, done: StepDone) -> HttpResponse:
        return self.render_to_response(self.get_context_data(**refund_context(self.purchase, done, self.back_url)))

    def get_page_title(self) -> str:
        return _("Refund order %(order)s") % {"order": self.order_name}

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Refund")}]


def refund_context(purchase: Purchase, done: StepDone, back_url: str) -> dict[str, Any]:
    """Return what the templates of a refund form and its preview need, in any back office."""
    form, quote = done.form, done.form.quote if done.is_preview else None
    return {
        "form": form,
        "quote": quote,
        "needs_approval": done.needs_approval,
        "awaits_approval": flow.open_request(purchase),
        "refund_request": form.refund_request if quote else None,
        "key": new_key(),
        "left": form.left,
        "back_url": back_url,
        "purchase": purchase,
        "cart": purchase.frozen_cart,
        "refunded": refunds.totals(purchase).amount,
        "paid": refunds.amount_paid(purchase),
    }


def refund_obstacle(purchase: Purchase) -> str:
    """Return why no refund of a placed order can be begun, as a sentence for staff; "" where one can."""
    left = refunds.refundable(purchase)
    if not left.subtotal + left.shipping:
        return _("Nothing of this order is left to refund.")
    if refunds.pending(purchase):
        return _("Another refund of this order is not finished yet.")
    return ""
