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
from loyalink_khalti.errors import LoyalinkError, RefundLimitExceeded
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase

from . import permissions
from .access import forbidden
from .action_log import log_refund
from .labels import refund_message
from .refund_form import RefundForm, full_refund_initial, new_key, refund_limit_error


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

    @method_decorator([transaction.non_atomic_requests, sensitive_post_parameters("mobile")])
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if error := self.obstacle():
            messages.warning(request, error)
            return self._leave()
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

    def _refund(self, request: HttpRequest, form: RefundForm) -> HttpResponse:
        try:
            refund = form.refund_request.refund(
                self.purchase,
                key=form.cleaned_data["key"],
                actor=str(request.user.pk),
                seen_refund=form.cleaned_data["seen_refund"],
                enforce_limit=not permissions.has_permission(request.user, permissions.REFUND_BEYOND_LIMIT),
            )
        except RefundLimitExceeded as exc:
            return forbidden(request, str(exc))
        except LoyalinkError as exc:
            messages.error(request, str(exc))
            return self._leave()
        if not refund.is_repeated:
            log_refund(refund, user=request.user)
        level, text = refund_message(refund)
        getattr(messages, level)(request, text)
        return self._leave()

    def _leave(self) -> HttpResponse:
        return HttpResponseRedirect(self.back_url)

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
            back_url=self.back_url,
        )
        return self.render_to_response(context)

    def get_page_title(self) -> str:
        return _("Refund order %(order)s") % {"order": self.order_name}

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Refund")}]


def refund_obstacle(purchase: Purchase) -> str:
    """Return why no refund of a placed order can be begun, as a sentence for staff; "" where one can."""
    left = refunds.refundable(purchase)
    if not left.subtotal + left.shipping:
        return _("Nothing of this order is left to refund.")
    if refunds.pending(purchase):
        return _("Another refund of this order is not finished yet.")
    return ""
