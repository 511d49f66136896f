"""An invoice or a credit note as it is printed: labels and texts of a stored document, the same for HTML and PDF.

Call it with the document's language active (``in_language``). Amounts are texts here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from loyalink_khalti.conf import formats
from loyalink_khalti.payments.invoice_sums import VAT_PERCENT, RowKind
from loyalink_khalti.ports import PaymentMethod

ON_SCREEN = -1
"""Shown, and not printed: the next printing is the original or a copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedRow:
    """A row of the table."""

    title: str
    quantity: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedSum:
    """A sum below the table."""

    label: str
    amount: str
    is_total: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedDocument:
    """All texts of a document, in its language."""

    language: str
    title: str
    marks: tuple[str, ...]
    """That it is a copy, or no invoice at all: printed above the title."""
    seller_name: str
    seller: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    buyer: tuple[tuple[str, str], ...]
    amounts_heading: str
    rows: tuple[PrintedRow, ...]
    sums: tuple[PrintedSum, ...]
    words: str
    reason: str


@contextmanager
def in_language(document: dict[str, Any]) -> Iterator[None]:
    """Activate the language of a document."""
    with translation.override(str(document["language"])):
        yield


def printed(document: dict[str, Any], *, number: int = ON_SCREEN) -> PrintedDocument:
    """Return a document as it is printed the time ``number``: 0 is the original."""
    is_vat = bool(document["seller"]["is_vat_registered"])
    shows_vat = not is_vat or bool(document["prices_include_vat"])
    return PrintedDocument(
        language=str(document["language"]),
        title=title_of(document),
        marks=tuple(_marks(document, number)),
        seller_name=document["seller"]["name"],
        seller=tuple(_seller(document["seller"])),
        facts=tuple(_facts(document)),
        buyer=tuple(_buyer(document["buyer"])),
        amounts_heading=_("Amount") if shows_vat else _("Amount without VAT"),
        rows=tuple(_row(row, is_note=document["kind"] == "credit_note") for row in document["rows"]),
        sums=tuple(_sums(document, is_vat=is_vat)),
        words=document["words"]["ne" if str(document["language"]).startswith("ne") else "en"],
        reason=_reason(document),
    )


def title_of(document: dict[str, Any]) -> str:
    """Return the title of a document: "Tax invoice" only where the owner had confirmed the approval."""
    titles = {"invoice": _("Invoice"), "tax_invoice": _("Tax invoice"), "credit_note": _("Credit note")}
    return titles[document["title"]]


def _marks(document: dict[str, Any], number: int) -> Iterator[str]:
    if document["is_test"]:
        yield _("Test payment: this is not an invoice")
    if number == ON_SCREEN:
        yield _("Shown on a screen, not printed")
    elif number:
        yield _("Copy %(number)s of original") % {"number": formats.number(number)}


def _seller(seller: dict[str, Any]) -> Iterator[str]:
    yield from seller["address"].splitlines()
    yield ", ".join(filter(None, (seller["phone"], seller["email"])))
    label = _("VAT No. (PAN)") if seller["is_vat_registered"] else _("PAN")
    yield f"{label}: {seller['pan']}"


def _facts(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield _("Number"), document["number"]
    yield _("Date"), both_days(document["date_ad"], document["date_bs"])
    yield _("Fiscal year"), formats.digits(document["fiscal_year"])
    if document["corrects"]:
        yield _("For document"), f"{document['corrects']['number']}, {formats.digits(document['corrects']['date_ad'])}"
    yield _("Order"), document["order"]["number"]
    if document["kind"] == "invoice":
        yield _("Payment method"), _method(document["order"]["method"])


def both_days(ad: str, bs: str) -> str:
    """Return a day in both calendars, as numbers that no one can mistake: ``2083-08-15 BS (2026-12-01 AD)``."""
    return _("%(bs)s BS (%(ad)s AD)") % {"bs": formats.digits(bs), "ad": formats.digits(ad)}


def _method(method: str) -> str:
    titles = {
        PaymentMethod.KHALTI: _("Khalti"),
        PaymentMethod.COD: _("Cash on delivery"),
        PaymentMethod.BANK_TRANSFER: _("Bank transfer"),
        PaymentMethod.POINTS: _("Points"),
    }
    return titles.get(PaymentMethod(method), method)


def _buyer(buyer: dict[str, str]) -> Iterator[tuple[str, str]]:
    yield _("Buyer"), buyer["name"] or "–"
    if buyer["address"]:
        yield _("Address"), ", ".join(line.strip() for line in buyer["address"].splitlines() if line.strip())
    if buyer["pan"]:
        yield _("Buyer's PAN"), buyer["pan"]


def _row(row: dict[str, Any], *, is_note: bool) -> PrintedRow:
    kind, count = RowKind(row["kind"]), row["quantity"]
    is_listed = is_note and kind is RowKind.LINE  # a credit note lists products; their price is one row
    names = {
        RowKind.DISCOUNT: _("Discount"),
        RowKind.DELIVERY: _("Delivery"),
        RowKind.CHARGE: _("Other charges"),
        RowKind.POINTS: _("Points used"),
        RowKind.PRODUCTS: _("Products"),
        RowKind.ROUNDING: _("Rounding"),
    }
    return PrintedRow(
        title=row["title"] or names.get(kind, ""),
        quantity=formats.number(count) if count else "",
        amount="" if is_listed else formats.npr(row["shown"]),
    )


def _sums(document: dict[str, Any], *, is_vat: bool) -> Iterator[PrintedSum]:
    if is_vat:
        yield PrintedSum(label=_("Taxable amount"), amount=formats.npr(document["taxable"]))
        label = _("VAT %(percent)s %%") % {"percent": formats.number(VAT_PERCENT)}
        yield PrintedSum(label=label, amount=formats.npr(document["vat"]))
    yield PrintedSum(label=_("Total"), amount=formats.npr(document["total"]), is_total=True)
    paid = document["points_paid"]
    if paid and paid["value"]:
        label = _("Paid with points (%(points)s)") % {"points": formats.number(paid["points"])}
        yield PrintedSum(label=label, amount=f"−{formats.npr(paid['value'])}")
        yield PrintedSum(label=_("To pay"), amount=formats.npr(document["total"] - paid["value"]))


def _reason(document: dict[str, Any]) -> str:
    reasons = {
        "refund": _("Refund"),
        "cancelled": _("The order was cancelled before it was paid"),
        "not_refunded": _("The refund was not made: its credit note is taken back"),
        "placed_again": _("The order was placed again: its credit note is taken back"),
    }
    return reasons.get(document["reason"], "")
