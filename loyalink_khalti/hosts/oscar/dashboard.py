"""Oscar's dashboard: what is only held is in no list, count or figure, but staff can look it up.

The list of orders finds held ones by the filter "Awaiting payment".
"""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from oscar.apps.dashboard.orders.forms import OrderSearchForm as OscarOrderSearchForm
from oscar.apps.dashboard.orders.views import OrderDetailView as OscarOrderDetailView
from oscar.apps.dashboard.orders.views import OrderListView as OscarOrderListView
from oscar.apps.dashboard.orders.views import OrderStatsView as OscarOrderStatsView
from oscar.apps.dashboard.reports.views import IndexView as OscarReportsView
from oscar.apps.dashboard.users.views import UserDetailView as OscarUserDetailView
from oscar.core.loading import get_model

from loyalink_khalti import flow
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.staff import may, refunding

from . import orders, payment_links, sources
from .options import SHOP, options
from .refunding import may_refund, purchase_of


class OrderSearchForm(OscarOrderSearchForm):
    """Oscar's filters, with the held status among them whatever the pipeline lists."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        status: Any = self.fields["status"]
        status.choices = list((dict(status.choices) | {options().held: options().held}).items())


def not_by_hand() -> set[str]:
    """Statuses that follow from money: the flow writes them, never staff, or points and sources would not know."""
    return {options().held, options().paid, options().refunded}


def cancel(request: HttpRequest, order: Any) -> bool:
    """Cancel an order that nobody has paid, points and stock included; False where it was made without us."""
    purchase = purchase_of(order)
    if purchase is None:
        return False
    words = {"number": order.number}
    if not may_refund(request):
        messages.error(request, _("%(number)s: you may not cancel orders.") % words)
        return True
    if not refunds.is_awaited(purchase):
        messages.error(request, _("%(number)s is paid for: refund it instead.") % words)
        return True
    try:
        refund = refunding.Asked.all_of(purchase).undo(purchase, key="cancel", by=str(request.user.pk))
    except LoyalinkError as exc:
        messages.error(request, str(exc))
        return True
    order.notes.create(user=request.user, note_type="System", message=_("Cancelled."))
    messages.success(request, refunding.tell(refund, cancelled=True)[1])
    return True


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class OrderListView(OscarOrderListView):
    """Placed orders, or with the filter the held ones."""

    form_class = OrderSearchForm

    def change_order_status(self, request: HttpRequest, order: Any) -> None:
        status = request.POST.get("new_status", "").strip()
        if status in not_by_hand():
            words = {"number": order.number, "status": status}
            messages.error(request, _("%(number)s: “%(status)s” follows from the payment itself.") % words)
        elif status not in order.available_statuses() or status != options().cancelled or not cancel(request, order):
            super().change_order_status(request, order)

    def get_queryset(self) -> Any:
        found = super().get_queryset()
        asked_for = self.form.cleaned_data.get("status") if self.form.is_valid() else ""
        return found if asked_for == options().held else orders.placed(found)


class OrderStatsView(OscarOrderStatsView):
    """Counts and revenue of placed orders."""

    def get_stats(self, filters: dict[str, Any]) -> Any:
        return super().get_stats({**filters, "pk__in": orders.placed().order_by().values("pk")})


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("mobile"), name="dispatch")
class OrderDetailView(OscarOrderDetailView):
    """One order; "Payment received" for cash and transfers, nothing but notes while it is only held."""

    template_name = "loyalink_khalti/oscar/dashboard/order_detail.html"
    notes = frozenset({"save_note", "delete_note"})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        order = self.object = self.get_object()
        if "payment_received" in request.POST:
            return self._payment_received(request, order)
        if "refund" in request.POST:
            return self._refund(request, order)
        if not orders.is_placed(order) and request.POST.get("order_action") not in self.notes:
            return self._reload(_("This order is not placed: only Khalti's answer changes it."))
        return cast(HttpResponse, super().post(request, *args, **kwargs))

    def change_order_status(self, request: HttpRequest, order: Any) -> HttpResponse:
        """Oscar's, but a cancellation gives back the points and the stock too."""
        form = self.get_order_status_form()
        chosen = form.cleaned_data["new_status"] if form.is_valid() else ""
        if chosen == options().cancelled and cancel(request, order):
            return self._reload()
        return cast(HttpResponse, super().change_order_status(request, order))

    def _refund(self, request: HttpRequest, order: Any) -> HttpResponse:
        """Preview, confirm, cancel, or let the books follow a refund of before."""
        if not may_refund(request):
            raise PermissionDenied
        purchase = purchase_of(order)
        if purchase is None:
            return self._reload(_("This order was not bought here: it cannot be refunded."))
        step = request.POST["refund"]
        if step == "cancel":
            cancel(request, order)
            return self._refunded()
        if step == "again":
            for refund in refunds.not_carried(purchase):
                self._tell(flow.undo_again(refund))
            return self._refunded()
        form = refunding.RefundForm(request.POST, purchase=purchase)
        if step == "confirm" and form.is_valid() and form.cleaned_data["key"]:
            return self._confirmed(request, order, purchase, form)
        return self._page(form, confirm=form.is_valid())

    def _confirmed(
        self, request: HttpRequest, order: Any, purchase: Purchase, form: refunding.RefundForm
    ) -> HttpResponse:
        if why := refunding.beyond(request.user, purchase, form.cash):
            messages.error(request, why)
            return self._refunded()
        try:
            refund = form.asked.undo(
                purchase, key=form.cleaned_data["key"], by=str(request.user.pk), seen=form.cleaned_data["seen"],
                within_limit=not may.may(request.user, may.REFUND_BEYOND_LIMIT),
            )  # fmt: skip
        except LoyalinkError as exc:
            messages.error(request, str(exc))
        else:
            self._tell(refund)
        return self._refunded()

    def _tell(self, refund: Refund) -> None:
        level, words = refunding.tell(refund)
        messages.add_message(self.request, getattr(messages, level.upper()), words)

    def _refunded(self) -> HttpResponse:
        return cast(HttpResponse, self.reload_page(fragment="refund"))

    def _page(self, form: refunding.RefundForm, *, confirm: bool) -> HttpResponse:
        context = self.get_context_data(active_tab="refund")
        more = {
            "refund_form": form,
            "refund_quote": form.quote if confirm else None,
            "refund_asked": form.asked if confirm else None,
        }
        return self.render_to_response(context | more | {"refund_key": refunding.fresh_key()})

    def get_order_status_form(self) -> Any:
        form = super().get_order_status_form()
        status = form.fields["new_status"]
        status.choices = [choice for choice in status.choices if choice[0] not in not_by_hand()]
        return form

    def _payment_received(self, request: HttpRequest, order: Any) -> HttpResponse:
        if not request.user.is_staff:  # a partner's staff see the order but do not take the money
            raise PermissionDenied
        purchase = Purchase.objects.filter(shop=SHOP, ref=order.number).first()
        if purchase is None or not sources.waits(order):
            return self._reload(_("No payment is still to come for this order."))
        try:
            flow.received(purchase, by=str(request.user.pk))
        except LoyalinkError:
            return self._reload(_("This payment could not be written down."))
        order.notes.create(user=request.user, note_type="System", message=_("Payment received."))
        messages.success(request, _("The payment is written down and the points are given."))
        return self._reload()

    def _reload(self, error: str | None = None) -> HttpResponse:
        return cast(HttpResponse, self.reload_page(error=error))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(**kwargs))
        purchase = Purchase.objects.filter(shop=SHOP, ref=self.object.number).first()
        return (
            context
            | {
                "unplaced": not orders.is_placed(self.object),
                "payment_waits": purchase is not None and self.request.user.is_staff and sources.waits(self.object),
                "to_come": npr(Paisa(purchase.payable)) if purchase else "",
                "payments_in_wagtail": payment_links.of(purchase, self.request.user),
            }
            | self._refund_context()
        )

    def _refund_context(self) -> dict[str, Any]:
        purchase = purchase_of(self.object)
        if purchase is None or not may_refund(self.request):
            return {}
        left, awaited = refunds.left(purchase), refunds.is_awaited(purchase)
        open_ = left.goods + left.shipping > 0 or not refunds.has_any(purchase)
        return {
            "may_refund": True,
            "refunds": refunding.shown(purchase),
            "refund_open": bool(refunds.pending(purchase)),
            "refund_stuck": bool(refunds.not_carried(purchase)),
            "refund_left": left,
            "nothing_left": not open_,
            "cancel_quote": refunding.Asked.all_of(purchase).quote(purchase) if awaited and open_ else None,
            "refund_form": refunding.RefundForm(purchase=purchase),
        }


class UserDetailView(OscarUserDetailView):
    """A customer with the orders that they placed."""

    def get_queryset(self) -> Any:
        placed = orders.placed().prefetch_related("lines", "surcharges")
        return self.model.objects.prefetch_related(Prefetch("orders", queryset=placed))


class ReportsView(OscarReportsView):
    """Reports on placed orders."""

    def _get_generator(self, form: Any) -> Any:
        generator = super()._get_generator(form)
        if getattr(generator.queryset, "model", None) is get_model("order", "Order"):
            generator.queryset = orders.placed(generator.queryset)
        return generator
