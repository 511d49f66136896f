"""Orders in Wagtail's admin: a list, and a page where staff refund, cancel, record money and move an order on.

Salesman's own admin (1.3) prints addresses without escaping them, and needs wagtail-modeladmin beside Wagtail.
"""

from typing import Any

import django_filters
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.functional import cached_property, lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic.base import View
from salesman.conf import app_settings
from salesman.core.utils import get_salesman_model
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, TitleColumn
from wagtail.admin.views.generic import WagtailAdminTemplateMixin

from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.money import paisa
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.staff import permissions, received_actions
from loyalink_khalti.staff.access import PermissionRequired, forbidden
from loyalink_khalti.staff.admin_items import PermissionMenuItem
from loyalink_khalti.staff.cancellation import cancel_unpaid_order
from loyalink_khalti.staff.labels import refund_rows
from loyalink_khalti.staff.listing import Listing
from loyalink_khalti.staff.payment_links import payment_links
from loyalink_khalti.staff.received_form import ReceivedForm, SurplusForm, summary
from loyalink_khalti.staff.record_links import record_refund_url
from loyalink_khalti.staff.refund_view import RefundViewMixin, refund_obstacle

from . import orders
from .settings import SHOP, STATUSES, options

LIST, PAGE, REFUND = (f"loyalink_khalti_salesman_{name}" for name in ("orders", "order", "order_refund"))


def urls() -> list[URLPattern]:
    """Return the URLs below Wagtail's admin; ``backoffice.urls`` asks each shop for them."""
    return [
        path("khalti/salesman/", OrdersView.as_view(), name=LIST),
        path("khalti/salesman/results/", OrdersView.as_view(results_only=True), name=f"{LIST}_results"),
        path("khalti/salesman/<str:ref>/", OrderPage.as_view(), name=PAGE),
        path("khalti/salesman/<str:ref>/refund/", OrderRefundView.as_view(), name=REFUND),
    ]


def order_page(ref: str) -> str:
    """Return the path of an order's page, of the list for "", or "" where Wagtail's admin is not in the URLs."""
    try:
        return reverse(PAGE, args=[ref]) if ref else reverse(LIST)
    except NoReverseMatch:
        return ""


class OrdersMenuItem(PermissionMenuItem):
    """The list of orders, where the site has it."""

    def is_shown(self, request: HttpRequest) -> bool:
        return super().is_shown(request) and bool(order_page(""))


def orders_item() -> OrdersMenuItem:
    return OrdersMenuItem(
        gettext_lazy("Orders"),
        lazy(order_page, str)(""),
        permission=permissions.VIEW_PAYMENTS,
        name="loyalink-khalti-salesman",
        icon_name="loyalink-shop",
        order=790,
    )


def _statuses() -> list[tuple[str, Any]]:
    return list(app_settings.SALESMAN_ORDER_STATUS.choices)


class OrderFilters(WagtailFilterSet):
    status = django_filters.MultipleChoiceFilter(label=gettext_lazy("Status"), choices=_statuses)

    class Meta:
        model = get_salesman_model("Order")
        fields: list[str] = []


class OrdersView(Listing):
    """All of Salesman's orders, those that are being paid too, newest first."""

    model = get_salesman_model("Order")
    permission = permissions.VIEW_PAYMENTS
    export_permission = permissions.EXPORT_PAYMENTS
    page_title = gettext_lazy("Orders")
    header_icon = "loyalink-shop"
    index_url_name = LIST
    index_results_url_name = f"{LIST}_results"
    verbose_name = gettext_lazy("order")
    verbose_name_plural = gettext_lazy("orders")
    default_ordering = ("-date_created", "-pk")
    is_searchable = True
    filterset_class = OrderFilters
    columns = [
        TitleColumn(
            "ref",
            label=gettext_lazy("Order"),
            accessor="ref",
            get_url=lambda order: reverse(PAGE, args=[order.ref]),
        ),
        Column("email", label=gettext_lazy("E-mail"), accessor="email"),
        Column(
            "total",
            label=gettext_lazy("Total"),
            accessor=lambda order: npr(paisa(order.total)),
            classname="w-text-right",
        ),
        Column("status", label=gettext_lazy("Status"), accessor="status_display"),
        Column("date_created", label=gettext_lazy("Created"), accessor="date_created"),
    ]
    export_filename = "orders"
    list_export = ["ref", "email", "status", "total", "date_created"]
    export_headings = {
        "ref": gettext_lazy("Order"), "email": gettext_lazy("E-mail"), "status": gettext_lazy("Status"),
        "total": gettext_lazy("Total"), "date_created": gettext_lazy("Created"),
    }  # fmt: skip

    def get_base_queryset(self) -> Any:
        return orders.rows()

    def search_queryset(self, queryset: Any) -> Any:
        query = self.search_query.strip()
        return queryset.filter(Q(ref__icontains=query) | Q(email__icontains=query)) if query else queryset


class OrderMixin:
    """A page of one order."""

    kwargs: Any

    @cached_property
    def order(self) -> Any:
        order = orders.rows().filter(ref=self.kwargs["ref"]).first()
        if order is None:
            raise Http404
        return order

    @cached_property
    def purchase(self) -> Purchase | None:
        """The purchase, None where the order did not come through the flow."""
        return Purchase.objects.filter(shop=SHOP, ref=self.order.ref).first()

    @property
    def back_url(self) -> str:
        return reverse(PAGE, args=[self.order.ref])

    def crumbs(self) -> list[dict[str, Any]]:
        return [
            {"url": reverse("wagtailadmin_home"), "label": _("Home")},
            {"url": reverse(LIST), "label": _("Orders")},
            {"url": self.back_url, "label": self.order.ref},
        ]


class OrderPage(PermissionRequired, OrderMixin, WagtailAdminTemplateMixin, View):  # type: ignore[misc]  # Wagtail's
    """An order with its money. POST has the name of what is done: cancel, status, or one about received money."""

    permission = permissions.VIEW_PAYMENTS
    template_name = "loyalink_khalti/salesman/order.html"
    header_icon = "loyalink-shop"
    _show_breadcrumbs = True

    @transaction.non_atomic_requests
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().dispatch(request, *args, **kwargs)

    def get_page_title(self) -> str:
        return _("Order %(order)s") % {"order": self.order.ref}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return self.crumbs()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = self.render_to_response(self.get_context_data())
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "cancel" in request.POST:
            return self._cancel()
        if "status" in request.POST:
            return self._move_on(request.POST["status"])
        return self._received(request.POST.get("received", ""))

    def _cancel(self) -> HttpResponse:
        if self.placed is None or not self.has_permission(permissions.REFUND):
            return forbidden(self.request)
        done = cancel_unpaid_order(self.placed, user=self.request.user)
        return self._leave(done.level, done.text)

    def _move_on(self, status: str) -> HttpResponse:
        if not self.has_permission(permissions.RECORD_RECEIVED):
            return forbidden(self.request)
        with transaction.atomic():
            order = orders.rows().select_for_update(of=("self",)).get(pk=self.order.pk)
            if status not in dict(next_statuses(order)):
                return self._leave("error", _("The order cannot get this status any more."))
            orders.set_status(order, orders.record_of(order), status)
        return self._leave("success", _("The order has a new status."))

    def _received(self, action: str) -> HttpResponse:
        purchase = received_actions.received_money(self.placed)
        if purchase is None or action not in set(received_actions.ReceivedAction):
            raise Http404
        chosen = received_actions.ReceivedAction(action)
        if not received_actions.may_perform(self.request.user, chosen):
            return forbidden(self.request)
        try:
            done = received_actions.perform(chosen, purchase, self.request.POST, user=self.request.user)
        except LoyalinkError as exc:
            return self._leave("error", str(exc))
        if done.invalid is not None:
            response: HttpResponse = self.render_to_response(self.get_context_data(invalid=done.invalid))
            return response
        for note in done.notes:
            orders.add_note(self.order, note)
        return self._leave(done.level, done.text)

    def _leave(self, level: str, text: str) -> HttpResponse:
        getattr(messages, level)(self.request, text)
        return HttpResponseRedirect(self.back_url)

    @property
    def placed(self) -> Purchase | None:
        purchase = self.purchase
        return purchase if purchase is not None and purchase.state == PurchaseState.PLACED else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        order, purchase, user = self.order, self.placed, self.request.user
        may_refund = purchase is not None and self.has_permission(permissions.REFUND)
        is_awaited = purchase is not None and refunds.is_awaiting_money(purchase)
        awaited = received_actions.received_money(purchase)
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {
            "order": order,
            "items": orders.items(order),
            "paid": npr(orders.amount_paid(order)),
            "total": npr(paisa(order.total)),
            "purchase": purchase,
            "payments": payment_links(self.purchase, user),
            "refunds": refund_rows(purchase) if purchase else [],
            "notes": get_salesman_model("OrderNote")._default_manager.filter(order_id=order.pk).order_by("-pk"),
            "can_cancel": may_refund and is_awaited and order.status != options().cancelled,
            "refund_url": reverse(REFUND, args=[order.ref])
            if purchase and may_refund and not is_awaited and not refund_obstacle(purchase)
            else "",
            "record_url": record_refund_url(purchase, user),
            "statuses": next_statuses(order) if self.has_permission(permissions.RECORD_RECEIVED) else [],
            "received": self._received_context(awaited, kwargs.get("invalid")) if awaited else None,
        }

    def _received_context(self, purchase: Purchase, invalid: Any) -> dict[str, Any]:
        may = received_actions.may_perform
        record, surplus = ReceivedForm(purchase=purchase), SurplusForm(purchase=purchase)
        return {
            "money": summary(purchase),
            "form": (invalid if isinstance(invalid, ReceivedForm) else record)
            if may(self.request.user, received_actions.ReceivedAction.RECORD)
            else None,
            "surplus_form": (invalid if isinstance(invalid, SurplusForm) else surplus)
            if may(self.request.user, received_actions.ReceivedAction.REFUND)
            else None,
        }


def next_statuses(order: Any) -> list[tuple[str, Any]]:
    """Return what staff may move a placed order on to: what the shop allows, without what only the flow sets."""
    Status, chosen = app_settings.SALESMAN_ORDER_STATUS, options()
    if orders.record_of(order).get("state") not in {None, orders.PLACED} or order.status == chosen.cancelled:
        return []
    by_flow = {getattr(chosen, name) for name in STATUSES}
    allowed = {str(each) for each in Status.get_transitions().get(order.status, Status.values)}
    if order.status == chosen.pending:  # it may be sent before the cash arrives
        allowed |= {str(each) for each in Status.get_transitions().get(chosen.paid, Status.values)}
    return [(value, label) for value, label in Status.choices if value in allowed - by_flow - {"NEW", order.status}]


class OrderRefundView(PermissionRequired, OrderMixin, RefundViewMixin, WagtailAdminTemplateMixin):  # type: ignore[misc]
    """Refund an order in full or in part."""

    _show_breadcrumbs = True
    header_icon = "loyalink-shop"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.kwargs = kwargs
        if self.purchase is None or self.purchase.state != PurchaseState.PLACED:
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    @property
    def order_name(self) -> str:
        return str(self.order.ref)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return self.crumbs() + self.last_breadcrumbs()
