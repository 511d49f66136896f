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
from loyalink_khalti.payments.models import Purchase

from . import orders, sources
from .options import SHOP, options


class OrderSearchForm(OscarOrderSearchForm):
    """Oscar's filters, with the held status among them whatever the pipeline lists."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        status: Any = self.fields["status"]
        status.choices = list((dict(status.choices) | {options().held: options().held}).items())


def not_by_hand() -> set[str]:
    """Statuses that follow from money: the flow writes them, never staff, or points and sources would not know."""
    return {options().held, options().paid, options().refunded}


class OrderListView(OscarOrderListView):
    """Placed orders, or with the filter the held ones."""

    form_class = OrderSearchForm

    def change_order_status(self, request: HttpRequest, order: Any) -> None:
        status = request.POST.get("new_status", "").strip()
        if status in not_by_hand():
            words = {"number": order.number, "status": status}
            messages.error(request, _("%(number)s: “%(status)s” follows from the payment itself.") % words)
        else:
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
class OrderDetailView(OscarOrderDetailView):
    """One order; "Payment received" for cash and transfers, nothing but notes while it is only held."""

    template_name = "loyalink_khalti/oscar/dashboard/order_detail.html"
    notes = frozenset({"save_note", "delete_note"})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        order = self.object = self.get_object()
        if "payment_received" in request.POST:
            return self._payment_received(request, order)
        if not orders.is_placed(order) and request.POST.get("order_action") not in self.notes:
            return self._reload(_("This order is not placed: only Khalti's answer changes it."))
        return cast(HttpResponse, super().post(request, *args, **kwargs))

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
        return context | {
            "unplaced": not orders.is_placed(self.object),
            "payment_waits": purchase is not None and self.request.user.is_staff and sources.waits(self.object),
            "to_come": npr(Paisa(purchase.payable)) if purchase else "",
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
