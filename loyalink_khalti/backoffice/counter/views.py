"""Record a counter sale in two steps, look at it, print its receipt line, refund it, and print a new claim code."""

from typing import Any, cast

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.widgets.button import HeaderButton

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import (
    CannotRefund,
    CannotSell,
    CounterLimitExceeded,
    RefundLimitExceeded,
    RepeatedBill,
    SelfDealing,
)
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.payments.counter_sales import CounterSale
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.links import counter_sale_url as sale_url
from loyalink_khalti.staff.links import member_url

from . import log
from .forms import CounterRefundForm, SaleForm

_NEEDS_PERMISSION = (CounterLimitExceeded, RefundLimitExceeded, SelfDealing)


@method_decorator([transaction.non_atomic_requests, never_cache, sensitive_post_parameters("code")], name="dispatch")
class CounterPage(PermissionRequired, WagtailAdminTemplateMixin, View):
    """A page of the counter. Its forms commit by themselves."""

    permission = permissions.USE_COUNTER
    header_icon = "pick"

    @property
    def actor(self) -> str:
        return str(self.request.user.pk)

    @cached_property
    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        return []

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        counter = {"url": reverse("loyalink_khalti_counter"), "label": _("Counter")}
        return [*self.breadcrumbs_items, counter, *self.last_breadcrumbs]


class NewSaleView(CounterPage):
    """The form, then what the sale does, then its receipt line."""

    template_name = "loyalink_khalti/backoffice/counter/sale_form.html"
    page_title: Any = gettext_lazy("Counter")

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": _("Counter")}]

    def get_header_buttons(self) -> list[Any]:
        buttons = cast(list[Any], super().get_header_buttons())
        sales = reverse("loyalink_khalti_counter_sales")
        return [HeaderButton(_("Counter sales"), url=sales, icon_name="list-ul"), *buttons]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._render(SaleForm(site_key=conf.site_key(request)))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = SaleForm(request.POST, site_key=conf.site_key(request))
        step = request.POST.get("step")
        if not form.is_valid() or step == "edit":
            return self._render(form)
        try:
            return self._record(form) if step == "confirm" else self._preview(form)
        except CannotSell as exc:
            form.is_repeated = isinstance(exc, RepeatedBill)
            form.add_error(exc.field if exc.field in form.fields else None, str(exc))
            return self._render(form, status=403 if isinstance(exc, _NEEDS_PERMISSION) else 200)

    @property
    def _may_exceed(self) -> bool:
        return self.has_permission(permissions.COUNTER_BEYOND_LIMIT)

    def _preview(self, form: SaleForm) -> HttpResponse:
        quote = flow.quote_counter_sale(form.order, actor=self.actor, may_exceed_limit=self._may_exceed)
        return self._render(form, quote=quote, order=form.order, contact=form.contact)

    def _record(self, form: SaleForm) -> HttpResponse:
        recorded = flow.record_counter_sale(
            form.order, key=form.cleaned_data["key"].hex, actor=self.actor, may_exceed_limit=self._may_exceed
        )
        sale = recorded.sale
        if not recorded.is_new:
            messages.warning(self.request, _("This sale was already recorded. Nothing was changed."))
            return HttpResponseRedirect(sale_url(sale.pk))
        log.record_sale(sale)
        if recorded.claim_code:  # it is shown now, and never again: only its hash is stored
            return SaleView.shown(self.request, sale, claim_code=recorded.claim_code)
        messages.success(self.request, _("The sale is recorded."))
        return HttpResponseRedirect(sale_url(sale.pk))

    def _render(self, form: SaleForm, *, status: int = 200, **context: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form, **context), status=status)


class OneSaleView(CounterPage):
    """A page of one sale."""

    @cached_property
    def sale(self) -> CounterSale:
        return get_object_or_404(CounterSale, pk=self.kwargs["pk"])

    @property
    def title(self) -> str:
        return _("Bill %(number)s") % {"number": self.sale.bill_number}

    def get_page_subtitle(self) -> str:
        return self.title

    @cached_property
    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        sales = {"url": reverse("loyalink_khalti_counter_sales"), "label": _("Counter sales")}
        return [sales, {"url": sale_url(self.sale.pk), "label": self.title}]


class SaleView(OneSaleView):
    """The sale with its receipt line and its refunds; POST prints a new claim code."""

    template_name = "loyalink_khalti/backoffice/counter/sale.html"
    page_title: Any = gettext_lazy("Counter sale")

    @classmethod
    def shown(cls, request: HttpRequest, sale: CounterSale, *, claim_code: str) -> HttpResponse:
        """Return the page of a sale with the code that was just made."""
        view = cls()
        view.setup(request, pk=sale.pk)
        return view._page(claim_code=claim_code)

    def get_header_buttons(self) -> list[Any]:
        buttons = cast(list[Any], super().get_header_buttons())
        if self.sale.left and self.has_permission(permissions.REFUND):
            url = reverse("loyalink_khalti_counter_refund", args=(self.sale.pk,))
            buttons = [HeaderButton(_("Refund"), url=url, icon_name="rotate"), *buttons]
        new = reverse("loyalink_khalti_counter")
        return [HeaderButton(_("New sale"), url=new, icon_name="plus"), *buttons]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._page()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            code = flow.renew_claim_code(self.sale.pk, actor=self.actor)
        except CannotSell as exc:
            messages.error(request, str(exc))
            return HttpResponseRedirect(sale_url(self.sale.pk))
        del self.sale
        log.record_new_code(self.sale)
        return self._page(claim_code=code)

    def _page(self, *, claim_code: str = "") -> HttpResponse:
        sale = self.sale
        account = ledger.own_account(sale.site_key, sale.earner) if sale.earner else None
        refunds = list(sale.refunds.order_by("pk"))
        people = flow.contacts({sale.actor, sale.earner, *(refund.actor for refund in refunds)})
        may_view = account is not None and self.has_permission(permissions.VIEW_MEMBERS)
        context = self.get_context_data(
            sale=sale, claim_code=claim_code, receipt_lines=flow.receipt_lines(sale, claim_code),
            receipt_line=flow.receipt_line(sale, claim_code), shop=conf.shop_details(sale.site_key),
            member=str(people.get(sale.earner or "", "")) or sale.earner or "",
            member_url=member_url(account.pk) if account and may_view else "",
            actor=str(people.get(sale.actor, sale.actor)),
            refunds=[(refund, str(people.get(refund.actor, refund.actor))) for refund in refunds],
            can_claim=sale.earner is None and sale.claim_until is not None and sale.claim_until > timezone.now(),
        )  # fmt: skip
        return self.render_to_response(context)


class RefundSaleView(OneSaleView):
    """Refund a bill or a part of it: first what it does, then once."""

    permission = permissions.REFUND
    template_name = "loyalink_khalti/backoffice/counter/refund.html"
    page_title: Any = gettext_lazy("Refund a counter sale")

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*super().get_breadcrumbs_items(), {"url": "", "label": _("Refund")}]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        initial = {"amount": self.sale.left or None, "method": self.sale.method}
        return self._render(CounterRefundForm(initial=initial))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = CounterRefundForm(request.POST)
        step = request.POST.get("step")
        if not form.is_valid() or step == "edit":
            return self._render(form)
        try:
            return self._refund(form) if step == "confirm" else self._preview(form)
        except CannotRefund as exc:
            form.add_error(None, str(exc))
            return self._render(form, status=403 if isinstance(exc, _NEEDS_PERMISSION) else 200)

    @property
    def _may_exceed(self) -> bool:
        return self.has_permission(permissions.REFUND_BEYOND_LIMIT)

    def _preview(self, form: CounterRefundForm) -> HttpResponse:
        amount = form.cleaned_data["amount"]
        quote = flow.quote_counter_refund(self.sale, amount, actor=self.actor, may_exceed_limit=self._may_exceed)
        return self._render(form, quote=quote)

    def _refund(self, form: CounterRefundForm) -> HttpResponse:
        data = form.cleaned_data
        recorded = flow.refund_counter_sale(
            self.sale.pk, data["amount"], key=data["key"].hex, reason=data["reason"], method=data["method"],
            actor=self.actor, may_exceed_limit=self._may_exceed,
        )  # fmt: skip
        if recorded.is_new:
            log.record_refund(recorded.refund)
            messages.success(self.request, _("The refund is recorded."))
        else:
            messages.warning(self.request, _("This refund was already recorded. Nothing was changed."))
        return HttpResponseRedirect(sale_url(self.sale.pk))

    def _render(self, form: CounterRefundForm, *, status: int = 200, **context: Any) -> HttpResponse:
        context = self.get_context_data(form=form, sale=self.sale, back_url=sale_url(self.sale.pk), **context)
        return self.render_to_response(context, status=status)


class CounterSaleURLFinder:
    """For Wagtail's site history: the page of a counter sale, if the user may see it."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, sale: CounterSale) -> str | None:
        """Wagtail's name for it; the page has nothing to edit."""
        allowed = self.user is None or permissions.has_permission(self.user, permissions.USE_COUNTER)
        return sale_url(sale.pk) if allowed else None
