"""What an invoice or a credit note contains, as JSON: all that is printed, so that no later change can change it.

Labels are not in it: they follow from the codes, in the document's language. Amounts are paisa.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from loyalink_khalti import amount_words, bikram_sambat, conf
from loyalink_khalti.flow.receipts.receipt import Receipt, receipt
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.nepal import pan as nepal_pan
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.invoice_sums import InvoiceRow, RowKind, Sums, settled, sums_of
from loyalink_khalti.payments.invoices import DocumentKind, Invoice, InvoiceSeries
from loyalink_khalti.payments.models import Purchase, Refund

VERSION = 1
TAX_INVOICE = "tax_invoice"
"""The title, where the owner has confirmed the approval of the tax office; else it is the document's kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who buys, as the invoice names them; "" for what is not known."""

    name: str = ""
    address: str = ""
    pan: str = ""


def buyer_of(purchase: Purchase) -> Buyer:
    """Return what the checkout says of the buyer: the name, and where the host knows them, address and PAN."""
    shop = conf.shops().get(purchase.shop)
    known: dict[str, str] = {}
    if shop is not None and hasattr(shop, "invoice_buyer"):
        known = shop.invoice_buyer(purchase.ref)
    return Buyer(
        name=known.get("name") or purchase.frozen_cart.customer.name,
        address=known.get("address", ""),
        pan=nepal_pan(known.get("pan", "")),  # a host may return what the document cannot keep
    )


def language_of(purchase: Purchase, settings: "conf.InvoiceSettings") -> str:
    """Return the language of a purchase's documents."""
    return conf.language(settings.language or purchase.language)


def invoice_figures(purchase: Purchase, settings: "conf.InvoiceSettings") -> Sums:
    """Return rows and sums of the invoice of a purchase, titles in its language."""
    with translation.override(language_of(purchase, settings)):
        rows = list(_rows(receipt(purchase), settings))
    return sums_of(rows, has_vat=settings.is_vat_registered, prices_include_vat=settings.prices_include_vat)


def _rows(shown: Receipt, settings: "conf.InvoiceSettings") -> Iterator[InvoiceRow]:
    figures = shown.figures
    for line in figures.lines:  # without options: what a customer has engraved is not the tax office's business
        yield InvoiceRow(kind=RowKind.LINE, title=line.title, key=line.key, quantity=line.quantity, amount=line.amount)
    for discount in figures.discounts:
        yield InvoiceRow(kind=RowKind.DISCOUNT, title=discount.title, amount=Paisa(-discount.amount))
    if figures.delivery:
        yield InvoiceRow(kind=RowKind.DELIVERY, title=shown.delivery, amount=figures.delivery)
    for charge in figures.surcharges:
        yield InvoiceRow(kind=RowKind.CHARGE, title=charge.title, amount=charge.amount)
    if figures.points_value and settings.points_as == conf.PointsAs.DISCOUNT:
        yield InvoiceRow(kind=RowKind.POINTS, quantity=figures.points_used, amount=Paisa(-figures.points_value))


def credit_rows(purchase: Purchase, refund: Refund, *, total: Paisa) -> list[InvoiceRow]:
    """Return the rows of the credit note of a refund: which products, and what of the price; they sum to ``total``.

    Amounts are with VAT. What points paid of it, where they are a discount, is one row.
    """
    cart = purchase.frozen_cart
    quantities = refunds.lines_by_key(cart, refunds.count_lines(refund.lines))
    left: Counter[str] = Counter(quantities)
    rows = []
    for line in cart.lines:
        part = min(left[line.key], line.quantity)
        left[line.key] -= part
        if part:
            rows.append(InvoiceRow(kind=RowKind.LINE, title=line.title_now, key=line.key, quantity=part))
    if refund.subtotal:
        rows.append(InvoiceRow(kind=RowKind.PRODUCTS, amount=Paisa(refund.subtotal)))
    if refund.shipping_price:
        rows.append(InvoiceRow(kind=RowKind.DELIVERY, amount=refund.shipping_price))
    by_points = total - sum(row.amount for row in rows)
    if by_points:
        kind = RowKind.POINTS if purchase.points_value else RowKind.ROUNDING
        rows.append(InvoiceRow(kind=kind, amount=Paisa(by_points)))
    return rows


def credit_sums(rows: Sequence[InvoiceRow], *, vat: Paisa, total: Paisa, document: dict[str, Any]) -> Sums:
    """Return the sums of a credit note with known figures, its rows shown as the invoice's are."""
    shows_vat = bool(document["prices_include_vat"]) or not document["seller"]["is_vat_registered"]
    return settled(rows, taxable=Paisa(total - vat), total=total, shows_vat=shows_vat)


def compose(
    *,
    series: InvoiceSeries,
    number: int,
    at: datetime,
    purchase: Purchase,
    buyer: Buyer,
    sums: Sums,
    settings: "conf.InvoiceSettings",
    corrects: Invoice | None = None,
    reason: str = "",
) -> dict[str, Any]:
    """Return a new document, with the shop's details as they are now."""
    language = language_of(purchase, settings)
    day = day_of(at)
    with translation.override(language):
        shop = conf.shop_details(purchase.site_key)
    is_title = series.kind == DocumentKind.INVOICE and settings.is_tax_invoice and not series.is_test
    tender = settings.points_as == conf.PointsAs.TENDER and series.kind == DocumentKind.INVOICE
    return {
        "version": VERSION,
        "kind": series.kind,
        "title": TAX_INVOICE if is_title else series.kind,
        "is_test": series.is_test,
        "number": series.code_of(number),
        "fiscal_year": series.fiscal_year,
        "date_ad": day.isoformat(),
        "date_bs": bs_of(day),
        "language": language,
        "seller": {
            "name": shop.shop_name,
            "address": shop.address,
            "phone": shop.phone,
            "email": shop.email,
            "pan": settings.pan,
            "is_vat_registered": settings.is_vat_registered,
        },
        "buyer": asdict(buyer),
        "order": {"number": purchase.number or purchase.ref, "method": purchase.method},
        "prices_include_vat": settings.prices_include_vat,
        "points_as": settings.points_as,
        "rows": [asdict(row) for row in sums.rows],
        "taxable": sums.taxable,
        "vat": sums.vat,
        "total": sums.total,
        "points_paid": {"points": purchase.points_redeemed, "value": purchase.points_value} if tender else None,
        "words": {"en": amount_words.in_english(sums.total), "ne": amount_words.in_nepali(sums.total)},
        "corrects": None if corrects is None else {"number": corrects.code, "date_ad": corrects.issued_on.isoformat()},
        "reason": reason,
    }


def bs_of(day: Any) -> str:
    """Return a day of the Bikram Sambat as it is stored: ``2083-08-15``."""
    found = bikram_sambat.nepali_date(day)
    return f"{found.year}-{found.month:02}-{found.day:02}"


def take_back(document: dict[str, Any], sums: Sums) -> Sums:
    """Return the sums of an invoice that takes a credit note back: the credit note's own, with one row."""
    amount = sums.total if document["prices_include_vat"] else sums.taxable
    row = InvoiceRow(kind=RowKind.PRODUCTS, title=_("Credit note taken back"), amount=sums.total, shown=Paisa(amount))
    return replace(sums, rows=(row,))
