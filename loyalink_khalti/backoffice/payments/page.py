"""The page of one payment: its status, money, order, points, flags, refunds and history."""

from typing import Any

from django.db.models import prefetch_related_objects
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse, reverse_lazy
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from loyalink_khalti import flow
from loyalink_khalti.backoffice.links import missing_order_url, order_page_url, order_url
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.payments.states import CAPTURED, FlagReason
from loyalink_khalti.payments.without_order import has_money_without_order
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.invoice_links import invoice_links
from loyalink_khalti.staff.labels import RESOLUTIONS, flag_evidence, payment_status, refund_rows
from loyalink_khalti.staff.links import member_url, payment_url
from loyalink_khalti.staff.mails import mail_rows
from loyalink_khalti.staff.notes import NoteForm
from loyalink_khalti.staff.refund_view import RefundViewMixin

from .timeline import timeline


class PaymentPage(PermissionRequired, WagtailAdminTemplateMixin, TemplateView):
    """A page about one payment, with breadcrumbs to the list."""

    permission = permissions.VIEW_PAYMENTS
    header_icon = "loyalink-rupee"
    breadcrumbs_items: Any = [
        *WagtailAdminTemplateMixin.breadcrumbs_items,
        {"url": reverse_lazy("loyalink_khalti_payments"), "label": gettext_lazy("Orders and payments")},
    ]
    kwargs: dict[str, Any]

    @cached_property
    def payment(self) -> Payment:
        payments = Payment.objects.select_related("purchase", "credentials")
        found: Payment = get_object_or_404(payments, pk=self.kwargs["pk"])
        return found

    @property
    def purchase(self) -> Purchase:
        return self.payment.purchase

    @property
    def order_name(self) -> str:
        """The order's number, or the shop's reference before it has one."""
        return self.purchase.number or self.purchase.ref

    @cached_property
    def is_refundable(self) -> bool:
        """Whether the order was placed by this payment and products or delivery are left to refund."""
        left = refunds.refundable(self.purchase)
        return self.payment.fulfilled_at is not None and left.subtotal + left.shipping > 0

    @property
    def is_recordable(self) -> bool:
        """Whether Khalti has captured money of which less is refunded."""
        payment = self.payment
        return payment.state in CAPTURED and (payment.captured or 0) > payment.refunded

    def redirect_to_payment(self) -> HttpResponse:
        return HttpResponseRedirect(payment_url(self.payment.pk))

    def get_page_title(self) -> str:
        return _("Payment of order %(order)s") % {"order": self.order_name}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        own = {"url": payment_url(self.payment.pk), "label": self.order_name}
        return [*self.breadcrumbs_items, own, *self.last_breadcrumbs()]

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        """The breadcrumbs below the payment's own."""
        return []


class PaymentView(PaymentPage):
    """Everything about a payment on one page, read-only."""

    template_name = "loyalink_khalti/backoffice/payments/page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        payment, purchase = self.payment, self.purchase
        prefetch_related_objects([payment], "flags", "refunds")
        flags = sorted(payment.flags.all(), key=lambda flag: flag.pk)
        order_missing = flow.is_missing(purchase)
        return {
            **super().get_context_data(**kwargs),
            "payment": payment,
            "purchase": purchase,
            "cart": purchase.frozen_cart,
            "status": payment_status(payment),
            "net": self._net(),
            "timeline": timeline(payment),
            "flags": [self._flag(flag) for flag in flags if flag.resolved_at is None],
            "resolved": self._resolved_flags([flag for flag in flags if flag.resolved_at is not None]),
            "money_without_order": has_money_without_order(payment),
            "left": (payment.captured or 0) - payment.refunded,
            "refunds": refund_rows(purchase if payment.fulfilled_at else payment),
            "reversible": self._reversible(),
            "other_attempts": purchase.payments.exclude(pk=payment.pk).order_by("attempt"),
            "order_url": missing_order_url(purchase.pk) if order_missing else order_url(purchase),
            "order_missing": order_missing,
            "member_url": self._member_url(),
            "can_refresh": self.has_permission(permissions.RESOLVE_FLAGS) and payment.pidx is not None,
            "refund_url": self._refund_url(),
            "record_url": self._record_url(),
            "invoices": invoice_links(purchase, self.request.user),
            "evidence_url": reverse("loyalink_khalti_payment_evidence", args=[payment.pk])
            if self.has_permission(permissions.EXPORT_PAYMENTS)
            else "",
            "mails": mail_rows(purchase, self.request.user),
            "note_form": NoteForm() if self.has_permission(permissions.ADD_NOTES) else None,
            "note_url": reverse("loyalink_khalti_payment_note", args=[payment.pk]),
            "order_page": order_page_url(purchase.pk),
            "rules_number": ledger.get_version(purchase.rules_version).number if purchase.rules_version else None,
            **kwargs,
        }

    def _net(self) -> int | None:
        """Return captured less fee less refunds, in paisa; None before any money is captured."""
        payment = self.payment
        return None if payment.captured is None else payment.captured - (payment.fee or 0) - payment.refunded

    def _flag(self, flag: Flag) -> dict[str, Any]:
        flag.payment = self.payment
        options = flow.resolution_options(flag)
        can_resolve = bool(options) and self.has_permission(permissions.RESOLVE_FLAGS)
        return {
            "flag": flag,
            "reason": REASONS[FlagReason(flag.reason)],
            "evidence": flag_evidence(flag),
            "url": reverse("loyalink_khalti_flag_resolve", args=[flag.pk]) if can_resolve else "",
            "is_waiting": not options,
        }

    def _resolved_flags(self, flags: list[Flag]) -> list[dict[str, Any]]:
        """Return the resolved flags that may be answered again, the newest answer first."""
        names = flow.member_emails([flag.actor for flag in flags])
        rows = []
        for flag in sorted(flags, key=lambda flag: (flag.resolved_at, flag.pk), reverse=True):
            row = self._flag(flag)
            label = RESOLUTIONS.get(flag.resolution)  # type: ignore[call-overload]  # a StrEnum's value is a key
            answer = label or _("resolved automatically")
            if not row["is_waiting"]:
                rows.append(row | {"answer": answer, "actor": names.get(flag.actor or "", flag.actor or "")})
        return rows

    def _member_url(self) -> str:
        earner = self.purchase.earner
        if earner is None or not self.has_permission(permissions.VIEW_MEMBERS):
            return ""
        account = ledger.find_account(self.purchase.site_key, earner)
        return member_url(account.pk) if account else ""

    def _refund_url(self) -> str:
        """Return the URL of the refund form; "" if nothing is left to refund or the user may not."""
        if not self.is_refundable or not self.has_permission(permissions.REFUND):
            return ""
        return reverse("loyalink_khalti_payment_refund", args=[self.payment.pk])

    def _reversible(self) -> set[int]:
        """Return the refunds of this payment that the user may record as not made."""
        if not self.has_permission(permissions.REFUND):
            return set()
        return {refund.pk for refund in self.payment.refunds.all() if flow.is_reversible(refund)}

    def _record_url(self) -> str:
        """Return the URL of the form for a refund made at Khalti; "" if there is none, or the user may not."""
        if not self.is_recordable or not self.has_permission(permissions.REFUND):
            return ""
        return reverse("loyalink_khalti_payment_record_refund", args=[self.payment.pk])


class RefundView(RefundViewMixin, PaymentPage):
    """A full or partial refund of the order that the payment has placed."""

    @property
    def back_url(self) -> str:
        return payment_url(self.payment.pk)

    def obstacle(self) -> str:
        return super().obstacle() if self.is_refundable else _("Nothing of this order is left to refund.")
