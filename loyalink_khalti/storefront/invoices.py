"""The invoice of an order, for who may see the order's receipt: on the screen, then printed or saved by a button.

Its link is signed and opens for a day; after that for the order's own customer alone, like the receipt. Nothing counts
as printed until the button is pressed: programs that open links in mails take no original.
"""

import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse

from loyalink_khalti import conf, flow
from loyalink_khalti.paper import can_make_pdf
from loyalink_khalti.paper.invoices import ON_SCREEN, in_language, printed, title_of
from loyalink_khalti.payments.invoices import Invoice, of_purchase
from loyalink_khalti.token_pages import TokenView, UnknownToken

from .receipts import is_own_order

LINK_LIFETIME = timedelta(days=1)
KEY_LENGTH = 48
_SALT = "loyalink_khalti.invoice"


def invoice_links(receipt: flow.Receipt) -> list[tuple[str, str]]:
    """Return title with number, and path, of an order's documents; [] where its site issues none.

    Only for a page that its customer alone can see. One statement where invoices are on.
    """
    if not receipt.is_placed or not conf.invoice_settings(receipt.purchase.site_key).is_on:
        return []
    try:
        return list(_links(receipt))
    except NoReverseMatch:  # a shop without our addresses
        return []


def _links(receipt: flow.Receipt) -> Iterator[tuple[str, str]]:
    for invoice in of_purchase(receipt.purchase):
        path = reverse("loyalink_khalti:invoice", args=[signing.dumps([invoice.pk], salt=_SALT)])
        yield f"{title_of(invoice.document)} {invoice.code}", path


class InvoiceView(TokenView):
    """A document of an order; POST prints it."""

    http_method_names = ("get", "head", "post", "options")

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return _page(request, _read(request, token), number=ON_SCREEN, print_key=secrets.token_urlsafe(16))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        invoice = _read(request, token)
        key = request.POST.get("key", "")[:KEY_LENGTH] or secrets.token_urlsafe(16)
        printing = flow.record_print(invoice, key=f"customer:{key}", actor=None)
        if not can_make_pdf():
            return _page(request, invoice, number=printing.number)
        from loyalink_khalti.paper.invoice_pdf import invoice_pdf  # it needs the extra

        name = invoice.code.replace("/", "-")
        return HttpResponse(
            invoice_pdf(invoice.document, number=printing.number),
            content_type="application/pdf",
            headers={"Content-Disposition": f'inline; filename="{name}.pdf"'},
        )


def _page(request: HttpRequest, invoice: Invoice, **more: Any) -> HttpResponse:
    document = invoice.document
    with in_language(document):
        shown = printed(document, number=more.pop("number"))
        title = f"{shown.title} {invoice.code}"
        context = {"shown": shown, "title": title, "is_invoice": True, **more}
        return render(request, "loyalink_khalti/paper/page.html", context)


def _read(request: HttpRequest, token: str) -> Invoice:
    """Return the document that a link names. Raises ``UnknownToken``."""
    try:
        (pk,) = signing.loads(token, salt=_SALT)
        invoice = Invoice.objects.select_related("purchase").get(pk=pk)
    except (signing.BadSignature, ValueError, TypeError, Invoice.DoesNotExist) as exc:
        raise UnknownToken from exc
    try:
        signing.loads(token, salt=_SALT, max_age=LINK_LIFETIME)
    except signing.SignatureExpired as exc:
        if not is_own_order(request, invoice.purchase):
            raise UnknownToken from exc
    return invoice
