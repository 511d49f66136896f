"""What must hold of invoices: no hole in a series, no day that goes back, and sums that agree with the documents."""

from collections.abc import Iterator

from django.db.models import Case, F, Q, Sum, Value, When
from django.db.models.functions import Coalesce

from loyalink_khalti.flow.members.directory import CHUNK
from loyalink_khalti.payments.invoices import DocumentKind, Invoice, series_figures

Finding = tuple[str, str, str]
"""Invariant, subject, detail."""


def violations() -> Iterator[Finding]:
    """Yield what is broken: I24 of the numbers, I25 of the sums. Memory does not grow with the history."""
    yield from _numbers()
    yield from _documents()
    yield from _credited()


def _numbers() -> Iterator[Finding]:
    for series in series_figures():
        if not series.issued:
            continue
        expected = range(series.first_number, series.first_number + series.issued)
        if (series.lowest, series.highest) != (expected[0], expected[-1]):
            detail = f"{series.issued} documents have the numbers {series.lowest} to {series.highest}"
            yield "I24", str(series), f"{detail} instead of {expected[0]} to {expected[-1]}"
        yield from _days(series.pk, str(series))


def _days(series: int, subject: str) -> Iterator[Finding]:
    before = None
    rows = Invoice.objects.filter(series=series).order_by("number").values_list("code", "issued_on")
    for code, day in rows.iterator(chunk_size=CHUNK):
        if before is not None and day < before:
            yield "I24", subject, f"{code} is dated {day}, before the number before it"
        before = day


def _documents() -> Iterator[Finding]:
    """The columns, of which sums are made, say what is printed, and the printed rows add up."""
    rows = Invoice.objects.select_related("series").order_by("pk")
    for row in rows.iterator(chunk_size=CHUNK):
        printed = row.document
        columns = (row.code, row.taxable, row.vat, row.total, row.issued_on.isoformat())
        if columns != tuple(printed[name] for name in ("number", "taxable", "vat", "total", "date_ad")):
            yield "I25", row.code, "the document differs from its columns"
        if row.series.code_of(row.number) != row.code or row.series.kind != row.kind:
            yield "I25", row.code, "the document is not of its series"
        shows_vat = printed["prices_include_vat"] or not printed["seller"]["is_vat_registered"]
        if sum(each["shown"] for each in printed["rows"]) != (row.total if shows_vat else row.taxable):
            yield "I25", row.code, "its rows do not add up"


def _credited() -> Iterator[Finding]:
    """No invoice is credited beyond its total, and one that is credited in full has no VAT left."""
    is_credit = Q(later__kind=DocumentKind.CREDIT_NOTE)
    signed = {
        name: Coalesce(Sum(Case(When(is_credit, then=F(f"later__{name}")), default=-F(f"later__{name}"))), Value(0))
        for name in ("total", "vat")
    }
    found = Invoice.objects.filter(invoice=None, later__isnull=False).annotate(
        credited=signed["total"], credited_vat=signed["vat"]
    )
    wrong = Q(credited__gt=F("total")) | Q(credited__lt=0) | (Q(credited=F("total")) & ~Q(credited_vat=F("vat")))
    for row in found.filter(wrong).order_by("pk").iterator(chunk_size=CHUNK):
        detail = f"{row.credited} paisa of {row.total} are credited, with {row.credited_vat} of {row.vat} VAT"
        yield "I25", row.code, detail
