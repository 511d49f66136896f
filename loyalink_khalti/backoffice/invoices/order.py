"""Invoices on the page of an order: the section, the form that issues one, and the packing slip."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages
from wagtail.admin.ui.components import Component

from loyalink_khalti import conf, flow, nepal
from loyalink_khalti.backoffice.orders.page import OrderPage
from loyalink_khalti.backoffice.orders.sections import OrderButton
from loyalink_khalti.errors import CannotInvoice
from loyalink_khalti.paper import can_make_pdf
from loyalink_khalti.paper.packing_slip import packing_slip, packing_slip_pdf
from loyalink_khalti.payments.invoices import Invoice, first_of, of_purchase
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.staff import permissions

from .log import log_issued
from .views import file_name, pdf_response


class InvoicesSection(Component):
    """The documents of an order, and the button that issues its invoice."""

    template_name = "loyalink_khalti/backoffice/invoices/section.html"

    def __init__(self, rows: list[Invoice], *, issue_url: str, obstacle: str) -> None:
        self.context = {"rows": rows, "issue_url": issue_url, "obstacle": obstacle}

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return self.context


def invoices_section(request: HttpRequest, purchase: Purchase) -> Component | None:
    """Return the section of an order; None where the shop issues none, or the user may not see them."""
    if not permissions.has_permission(request.user, permissions.VIEW_INVOICES):
        return None
    rows = of_purchase(purchase)
    is_on = conf.invoice_settings(purchase.site_key).is_on
    if not rows and (not is_on or purchase.state != PurchaseState.PLACED):
        return None
    may_issue = permissions.has_permission(request.user, permissions.ISSUE_INVOICES)
    obstacle = "" if rows else flow.invoice_obstacle(purchase)
    url = reverse("loyalink_khalti_order_invoice", args=[purchase.pk]) if may_issue and not obstacle else ""
    return InvoicesSection(rows, issue_url="" if rows else url, obstacle=obstacle)


def packing_slip_button(_request: HttpRequest, purchase: Purchase) -> Iterable[OrderButton]:
    """Yield the link to the packing slip of a placed order."""
    if purchase.state == PurchaseState.PLACED:
        url = reverse("loyalink_khalti_packing_slip", args=[purchase.pk])
        yield OrderButton(label=gettext_lazy("Packing slip"), url=url)


class BuyerForm(forms.Form):
    """Who the invoice names, as staff correct it."""

    name = forms.CharField(label=gettext_lazy("Buyer"), max_length=200, required=False)
    address = forms.CharField(
        label=gettext_lazy("Address"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    pan = forms.CharField(
        label=gettext_lazy("Buyer's PAN"), max_length=20, required=False,
        help_text=gettext_lazy("Nine digits, where the buyer is a business."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )  # fmt: skip

    def clean_pan(self) -> str:
        typed = str(self.cleaned_data["pan"]).strip()
        found = nepal.pan(typed)
        if typed and not found:
            raise ValidationError(_("A PAN has nine digits, for example 301234567."))
        return found

    def buyer(self) -> flow.Buyer:
        return flow.Buyer(**self.cleaned_data)


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class IssueView(OrderPage):
    """Issue the invoice of an order, with the buyer as staff have checked it."""

    permission = permissions.VIEW_INVOICES
    post_permission = permissions.ISSUE_INVOICES
    header_icon = "doc-full"
    template_name = "loyalink_khalti/backoffice/invoices/issue.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        first = first_of(self.purchase)
        if first is not None:
            return _to(first)
        buyer = flow.buyer_of(self.purchase)
        form = BuyerForm(initial={"name": buyer.name, "address": buyer.address, "pan": buyer.pan})
        return self.render_to_response(self.get_context_data(form=form))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = BuyerForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        is_new = first_of(self.purchase) is None
        try:
            invoice = flow.issue_invoice(self.purchase, actor=self.actor, buyer=form.buyer())
        except CannotInvoice as exc:
            messages.error(request, str(exc))
            return self.render_to_response(self.get_context_data(form=form))
        if is_new:
            log_issued(invoice, user=request.user)
            messages.success(request, _("Invoice %(number)s is issued.") % {"number": invoice.code})
        return _to(invoice)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        obstacle = flow.invoice_obstacle(self.purchase) or flow.self_dealing_obstacle(
            self.actor, purchase=self.purchase
        )
        context = super().get_context_data(**kwargs)
        return {**context, "obstacle": obstacle, "back_url": self.back_url, "purchase": self.purchase}

    def get_page_title(self) -> str:
        return _("Invoice for order %(order)s") % {"order": self.order_name}

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Invoice")}]


def _to(invoice: Invoice) -> HttpResponse:
    return HttpResponseRedirect(reverse("loyalink_khalti_invoice", args=[invoice.pk]))


class PackingSlipView(OrderPage):
    """The packing slip of an order, as a page of A4 or as a PDF file; it has no prices."""

    is_pdf = False

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.is_placed or (self.is_pdf and not can_make_pdf()):
            raise Http404
        slip = packing_slip(self.purchase)
        if self.is_pdf:
            return pdf_response(packing_slip_pdf(slip), name=file_name(f"packing-slip-{self.order_name}"))
        pdf_url = reverse("loyalink_khalti_packing_slip_pdf", args=[self.purchase.pk]) if can_make_pdf() else ""
        context = {"slip": slip, "title": slip.title, "pdf_url": pdf_url, "back_url": self.back_url}
        return render(request, "loyalink_khalti/paper/page.html", context)
