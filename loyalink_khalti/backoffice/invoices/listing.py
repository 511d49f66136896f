"""The sales register: every invoice and credit note, filtered by fiscal year, with sums and export."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import BigIntegerField, Case, CharField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _
from django_filters import CharFilter, ChoiceFilter

from loyalink_khalti.backoffice.reports.base import Figure, Report
from loyalink_khalti.backoffice.reports.columns import (
    LabelColumn,
    MoneyColumn,
    ReportColumn,
    TotalRow,
    format_day,
    format_money,
    format_number,
    link,
)
from loyalink_khalti.backoffice.reports.filters import DayFilters
from loyalink_khalti.conf.formats import digits
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import pan
from loyalink_khalti.payments import reports
from loyalink_khalti.payments.invoices import DocumentKind, Invoice, fiscal_years
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.listing import EXPORT_CHUNK, clamp_day

TEST = "test"


class InvoiceFilters(DayFilters):
    """Fiscal year, kind, days, and a text: a number, an order, a buyer or a PAN."""

    text = CharFilter(label=_("Number, order, buyer or PAN"), max_length=100)
    kind = ChoiceFilter(
        label=_("Document"), choices=DocumentKind.choices, empty_label=_("All"), widget=forms.RadioSelect
    )
    documents = ChoiceFilter(
        label=_("Payments"), choices=[(TEST, _("Test: no money moves"))], empty_label=_("Live"),
        widget=forms.RadioSelect,
    )  # fmt: skip

    def __init__(self, data: Any = None, queryset: Any = None, **kwargs: Any) -> None:
        super().__init__(data, queryset, **kwargs)
        years = [(label, label) for label in fiscal_years()]
        year = ChoiceFilter(
            label=_("Fiscal year"), choices=years, empty_label=_("All"), widget=forms.RadioSelect
        )  # fmt: skip
        self.filters["fiscal_year"] = year

    def sites(self) -> list[str]:
        return reports.sites()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterSums:
    """The sums of the register, in paisa: credit notes are taken off."""

    taxable: Paisa
    vat: Paisa
    total: Paisa
    credited: Paisa


class NumberColumn(LabelColumn):
    """The number, which leads to the document."""

    def get_value(self, instance: Any) -> Any:
        if isinstance(instance, TotalRow):
            return instance.label
        return link(reverse("loyalink_khalti_invoice", args=[instance.pk]), instance.code)


class InvoicesView(Report):
    """The list *Invoices*."""

    page_title = _("Invoices")
    header_icon = "doc-full"
    permission, export_permission = permissions.VIEW_INVOICES, permissions.EXPORT_INVOICES
    index_url_name = "loyalink_khalti_invoices"
    index_results_url_name = "loyalink_khalti_invoices_results"
    export_filename = "sales-register"
    filterset_class = InvoiceFilters
    description = _(
        "Every invoice and credit note, the newest first. Amounts of credit notes are below 0, so that a column can be"
        " summed. Numbers have no gaps: each fiscal year has a series of its own for each PAN and kind of document."
    )
    empty_message = _("No invoice was issued on these days. Invoices are switched on in Settings, Invoices.")
    columns = (
        NumberColumn("code", _("Number")),
        ReportColumn("issued_on", _("Date"), read=lambda row: format_day(row.issued_on)),
        ReportColumn("kind", _("Document"), read=lambda row: row.get_kind_display()),
        ReportColumn("order", _("Order"), read=lambda row: row.order),
        ReportColumn("buyer", _("Buyer"), read=lambda row: row.buyer_name),
        ReportColumn("buyer_pan", _("Buyer's PAN")),
        MoneyColumn("taxable", _("Taxable amount"), read=lambda row: _signed(row, "taxable")),
        MoneyColumn("vat", _("VAT"), read=lambda row: _signed(row, "vat")),
        MoneyColumn("total", _("Total"), read=lambda row: _signed(row, "total")),
        MoneyColumn("credited", _("Credit notes")),
    )
    exported = (
        ReportColumn("date_ad", _("Date (AD)"), read=lambda row: row.issued_on),
        ReportColumn("date_bs", _("Date (BS)"), read=lambda row: row.document["date_bs"]),
        ReportColumn("fiscal_year", _("Fiscal year"), read=lambda row: row.document["fiscal_year"]),
        LabelColumn("code", _("Number")),
        ReportColumn("kind", _("Document"), read=lambda row: str(row.get_kind_display())),
        ReportColumn("corrects", _("For document"), read=lambda row: (row.document["corrects"] or {}).get("number")),
        ReportColumn("order", _("Order")),
        ReportColumn("buyer", _("Buyer"), read=lambda row: row.buyer_name),
        ReportColumn("buyer_pan", _("Buyer's PAN")),
        MoneyColumn("taxable", _("Taxable amount (Rs)"), read=lambda row: _signed(row, "taxable")),
        MoneyColumn("vat", _("VAT (Rs)"), read=lambda row: _signed(row, "vat")),
        MoneyColumn("total", _("Total (Rs)"), read=lambda row: _signed(row, "total")),
        MoneyColumn("credited", _("Credit notes (Rs)")),
        ReportColumn("pan", _("Seller's PAN"), read=lambda row: row.document["seller"]["pan"]),
    )

    @cached_property
    def export_columns(self) -> Any:
        return {column.name: column for column in self.exported}

    @cached_property
    def rows(self) -> "QuerySet[Invoice]":
        # "credited" of an invoice: its credit notes less what took them back.
        later = Invoice.objects.filter(invoice=OuterRef("pk")).order_by().values("invoice")
        credited = later.annotate(amount=Sum(_sign(-F("total"), F("total")))).values("amount")
        return self._filtered().annotate(
            order=Case(
                When(purchase__number="", then=F("purchase__ref")),
                default=F("purchase__number"),
                output_field=CharField(),
            ),
            credited=Coalesce(Subquery(credited), 0, output_field=BigIntegerField()),
        )

    def _filtered(self) -> "QuerySet[Invoice]":
        values, rows = self.filter_values, Invoice.objects.order_by("-issued_on", "-pk")
        rows = rows.filter(is_test=values.get("documents") == TEST)
        if self.site_key:
            rows = rows.filter(site_key=self.site_key)
        if values.get("fiscal_year"):
            rows = rows.filter(series__fiscal_year=values["fiscal_year"])
        if values.get("kind"):
            rows = rows.filter(kind=values["kind"])
        days = values.get("days")
        if days and days.start:
            rows = rows.filter(issued_on__gte=clamp_day(days.start.date()))
        if days and days.stop:
            rows = rows.filter(issued_on__lte=clamp_day(days.stop.date()))
        return rows.filter(_named(values["text"])) if values.get("text") else rows

    def prepare(self, rows: Iterable[Any]) -> list[Any]:
        return list(rows)

    def export_rows(self) -> Iterator[Any]:
        return self.rows.iterator(chunk_size=EXPORT_CHUNK)

    @cached_property
    def totals(self) -> RegisterSums:
        names = ("taxable", "vat", "total")
        found = self._filtered().aggregate(
            **{f"sum_{name}": Sum(_sign(F(name), -F(name))) for name in names},
            sum_credited=Sum(_sign(Value(0), F("total"))),
        )
        return RegisterSums(**{name: Paisa(found[f"sum_{name}"] or 0) for name in (*names, "credited")})

    @property
    def figures(self) -> list[Figure]:
        sums = self.totals
        count = self._filtered().values("pk").count()
        return [
            Figure(label=_("Documents"), value=format_number(count)),
            Figure(label=_("Taxable amount"), value=format_money(sums.taxable)),
            Figure(label=_("VAT"), value=format_money(sums.vat)),
            Figure(label=_("Total"), value=format_money(sums.total), note=_("less credit notes")),
            Figure(label=_("Credit notes"), value=format_money(sums.credited)),
        ]

    @property
    def period(self) -> str:
        if year := self.filter_values.get("fiscal_year"):
            return _text("Fiscal year %(year)s") % {"year": digits(year)}
        return super().period if self.filter_values.get("days") else ""


def _sign(of_invoice: Any, of_note: Any) -> Case:
    is_note = When(kind=DocumentKind.CREDIT_NOTE, then=of_note)
    return Case(is_note, default=of_invoice, output_field=BigIntegerField())


def _signed(row: Any, name: str) -> int:
    """A figure of a row; below 0 for a credit note. The row of the sums has its own."""
    amount = int(getattr(row, name))
    return -amount if getattr(row, "is_credit_note", False) else amount


def _named(text: str) -> Q:
    """Invoices by their number, their order, the buyer's name, or a PAN."""
    text = text.strip()
    found = Q(code__icontains=text) | Q(buyer_name__icontains=text) | Q(purchase__number__iexact=text)
    found |= Q(purchase__ref__iexact=text)
    return found | Q(buyer_pan=pan(text)) if pan(text) else found
