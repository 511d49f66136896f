"""The page of one document, and its printing: the first is the original, every other one a copy."""

import secrets
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView, View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from loyalink_khalti import flow
from loyalink_khalti.backoffice import links
from loyalink_khalti.paper import can_make_pdf
from loyalink_khalti.paper.invoices import in_language, printed, title_of
from loyalink_khalti.payments.invoices import Invoice, InvoicePrint, of_purchase
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired

from .log import log_printed

KEY = secrets.token_urlsafe
KEY_LENGTH = 64


class InvoicePage(PermissionRequired, WagtailAdminTemplateMixin, TemplateView):
    """A document on the screen, with what belongs to it and how often it was printed."""

    permission = permissions.VIEW_INVOICES
    header_icon = "doc-full"
    template_name = "loyalink_khalti/backoffice/invoices/page.html"
    breadcrumbs_items: Any = [
        *WagtailAdminTemplateMixin.breadcrumbs_items,
        {"url": reverse_lazy("loyalink_khalti_invoices"), "label": gettext_lazy("Invoices")},
    ]
    kwargs: dict[str, Any]

    @cached_property
    def invoice(self) -> Invoice:
        found: Invoice = get_object_or_404(Invoice.objects.select_related("purchase"), pk=self.kwargs["pk"])
        return found

    def get_page_title(self) -> str:
        return f"{title_of(self.invoice.document)} {self.invoice.code}"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.invoice.code}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        invoice = self.invoice
        with in_language(invoice.document):
            shown = printed(invoice.document)
        may_see_orders = self.has_permission(permissions.VIEW_PAYMENTS)
        return {
            **super().get_context_data(**kwargs),
            "invoice": invoice,
            "shown": shown,
            "others": [each for each in of_purchase(invoice.purchase) if each.pk != invoice.pk],
            "prints": list(invoice.prints.order_by("number")),
            "print_key": KEY(),
            "print_url": reverse("loyalink_khalti_invoice_print", args=[invoice.pk]),
            "can_make_pdf": can_make_pdf(),
            "order_url": links.order_page_url(invoice.purchase_id) if may_see_orders else "",
            **kwargs,
        }


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class InvoicePrintView(PermissionRequired, View):
    """Record that a document is printed, once per form, and show the printing."""

    permission = permissions.VIEW_INVOICES
    http_method_names = ["post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        invoice = get_object_or_404(Invoice, pk=pk)
        key = request.POST.get("key", "")[:KEY_LENGTH] or KEY()
        printing = flow.record_print(invoice, key=key, actor=str(request.user.pk))
        if not printing.is_repeated:
            log_printed(printing, user=request.user)
        name = "loyalink_khalti_invoice_pdf" if "pdf" in request.POST else "loyalink_khalti_invoice_printed"
        return HttpResponseRedirect(reverse(name, args=[invoice.pk, printing.number]))


class PrintedView(PermissionRequired, View):
    """One printing of a document, as a page of A4 or as a PDF file."""

    permission = permissions.VIEW_INVOICES
    is_pdf = False

    def get(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        printing = get_object_or_404(InvoicePrint.objects.select_related("invoice"), invoice=pk, number=number)
        invoice = printing.invoice
        if flow.is_printed_long_ago(printing):
            messages.warning(request, _("This printing is over. Print the document again: it is marked as a copy."))
            return HttpResponseRedirect(reverse("loyalink_khalti_invoice", args=[pk]))
        if not self.is_pdf:
            pdf_url = reverse("loyalink_khalti_invoice_pdf", args=[pk, number]) if can_make_pdf() else ""
            back_url = reverse("loyalink_khalti_invoice", args=[pk])
            with in_language(invoice.document):
                context = {"shown": printed(invoice.document, number=number), "title": invoice.code}
                more = {"pdf_url": pdf_url, "back_url": back_url, "is_invoice": True}
                return render(request, "loyalink_khalti/paper/page.html", context | more)
        if not can_make_pdf():
            raise Http404
        from loyalink_khalti.paper.invoice_pdf import invoice_pdf  # it needs the extra

        return pdf_response(invoice_pdf(invoice.document, number=number), name=file_name(invoice.code))


def file_name(code: str) -> str:
    """Return the name of a document's file: its number without slashes."""
    return code.replace("/", "-")


def pdf_response(content: bytes, *, name: str) -> HttpResponse:
    """Return a PDF file that the browser shows."""
    disposition = {"Content-Disposition": f'inline; filename="{name}.pdf"', "Cache-Control": "private, no-store"}
    return HttpResponse(content, content_type="application/pdf", headers=disposition)
