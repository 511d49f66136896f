"""The page of one payment: where it stands, its story, its refunds, and what staff may do about it."""

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse, reverse_lazy
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from loyalink_khalti import flow
from loyalink_khalti.backoffice.guard import Guarded
from loyalink_khalti.backoffice.links import member_url, order_url, payment_url
from loyalink_khalti.loyalty import ledger, programmes
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.payments.states import Reason
from loyalink_khalti.payments.words import REASONS
from loyalink_khalti.staff import may, refunding
from loyalink_khalti.staff.words import evidence, standing

from .story import story


class OfPayment(Guarded, WagtailAdminTemplateMixin, TemplateView):
    """A page about one payment, with the way back to the list."""

    permission = may.VIEW_PAYMENTS
    header_icon = "loyalink-rupee"
    breadcrumbs_items: Any = [
        *WagtailAdminTemplateMixin.breadcrumbs_items,
        {"url": reverse_lazy("loyalink_khalti_payments"), "label": gettext_lazy("Payments")},
    ]
    kwargs: dict[str, Any]

    @cached_property
    def payment(self) -> Payment:
        found: Payment = get_object_or_404(
            Payment.objects.select_related("purchase", "credentials"), pk=self.kwargs["pk"]
        )
        return found

    @property
    def purchase(self) -> Purchase:
        return self.payment.purchase

    @property
    def name(self) -> str:
        """What people call it: its order."""
        return self.purchase.number or self.purchase.ref

    def back(self) -> HttpResponse:
        return HttpResponseRedirect(payment_url(self.payment.pk))

    def get_page_title(self) -> str:
        return _("Payment of order %(order)s") % {"order": self.name}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        own = {"url": payment_url(self.payment.pk), "label": self.name}
        return [*self.breadcrumbs_items, own, *self.deeper()]

    def deeper(self) -> list[dict[str, Any]]:
        """What stands after the payment in the breadcrumbs."""
        return []


class PaymentView(OfPayment):
    """All that is known of a payment, on one page; nothing on it can be typed over."""

    template_name = "loyalink_khalti/backoffice/payments/page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        payment, purchase = self.payment, self.purchase
        flags = [self._flag(flag) for flag in payment.flags.filter(resolved_at=None).order_by("pk")]
        return {
            **super().get_context_data(**kwargs),
            "payment": payment,
            "purchase": purchase,
            "cart": purchase.frozen_cart,
            "standing": standing(payment),
            "net": self._net(),
            "story": story(payment),
            "flags": flags,
            "refunds": refunding.shown(purchase) if payment.fulfilled_at else refunding.shown_of(payment),
            "others": purchase.payments.exclude(pk=payment.pk).order_by("attempt"),
            "order_url": order_url(purchase),
            "member_url": self._member_url(),
            "may_ask": self.may(may.DECIDE) and payment.pidx is not None,
            "refund_url": self._refund_url(),
            "rules_number": programmes.version(purchase.rules_version).number if purchase.rules_version else None,
        }

    def _net(self) -> int | None:
        """What stays with the shop, in paisa; None while nothing has come."""
        payment = self.payment
        return None if payment.captured is None else payment.captured - (payment.fee or 0) - payment.refunded

    def _flag(self, flag: Flag) -> dict[str, Any]:
        flag.payment = self.payment
        choices = flow.choices(flag)
        return {
            "flag": flag,
            "words": REASONS[Reason(flag.reason)],
            "evidence": evidence(flag),
            "url": reverse("loyalink_khalti_flag", args=[flag.pk]) if choices and self.may(may.DECIDE) else "",
            "waits": not choices,
        }

    def _member_url(self) -> str:
        earner = self.purchase.earner
        if earner is None or not self.may(may.VIEW_MEMBERS):
            return ""
        account = ledger.find(self.purchase.site_key, earner)
        return member_url(account.pk) if account else ""

    def _refund_url(self) -> str:
        """Where it can be given back by this person; "" where nothing is left, or a flag decides."""
        if not self.may(may.REFUND) or self.payment.fulfilled_at is None:
            return ""
        left = refunds.left(self.purchase)
        if not left.goods + left.shipping:
            return ""
        return reverse("loyalink_khalti_payment_refund", args=[self.payment.pk])
