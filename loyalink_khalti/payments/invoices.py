"""Invoices and credit notes: one unbroken series of numbers per PAN and fiscal year. Amounts are paisa.

Rows are never changed or deleted, by triggers (``append_only.py``). A number is taken when a document is written,
under the lock of its series: it is the highest one plus 1, so that a rollback or a crash leaves no hole.
"""

import re
from datetime import date
from typing import Any

from django.db import models
from django.db.models import Count, F, Max, Min, Q, Sum
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.append_only import AppendOnlyModel
from loyalink_khalti.money import Paisa, npr

from .models import Purchase, Refund

_CODE = re.compile(r"\S{0,30}\d{4}/\d{2}-\d{1,10}")
DIGITS = 5
"""Of a number, at least: 00001."""


class DocumentKind(models.TextChoices):
    """What a document is. Both kinds have series of their own."""

    INVOICE = "invoice", _("Invoice")
    CREDIT_NOTE = "credit_note", _("Credit note")


class InvoiceSeries(AppendOnlyModel):
    """The numbers of one PAN, fiscal year and kind. Documents of test payments have a series of their own."""

    pan = models.CharField(max_length=9)
    fiscal_year = models.CharField(max_length=7, help_text="2083/84")
    kind = models.CharField(max_length=12, choices=DocumentKind)
    is_test = models.BooleanField(default=False)
    prefix = models.CharField(max_length=30, blank=True, default="")
    first_number = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["pan", "fiscal_year", "kind", "is_test"], name="loyalink_invoice_series_once"
            ),
            models.CheckConstraint(condition=Q(first_number__gte=1), name="loyalink_invoice_series_first"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.prefix}{self.fiscal_year} of PAN {self.pan}"

    def code_of(self, number: int) -> str:
        """Return the number as it is printed: ``INV-2083/84-00001``."""
        return f"{self.prefix}{self.fiscal_year}-{number:0{DIGITS}}"


class Invoice(AppendOnlyModel):
    """An invoice, or a credit note, as it was issued. ``document`` is all that is printed.

    A credit note names the ``invoice`` whose amount it takes back. Where its refund was not made after all, or its
    order is placed again, another invoice with the same figures takes the credit note back (``corrects``).
    """

    series = models.ForeignKey(InvoiceSeries, on_delete=models.PROTECT, related_name="invoices")
    kind = models.CharField(max_length=12, choices=DocumentKind)
    number = models.PositiveIntegerField()
    code = models.CharField(max_length=60, help_text="the number as it is printed")
    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="invoices")
    invoice = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="later",
        help_text="that it belongs to",
    )
    corrects = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="corrections"
    )  # fmt: skip
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="credit_notes")
    key = models.CharField(max_length=64, unique=True, help_text="once per cause")
    site_key = models.CharField(max_length=255)
    issued_on = models.DateField(help_text="the day in Nepal")
    issued_at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    is_test = models.BooleanField(default=False)
    buyer_name = models.CharField(max_length=200, blank=True, default="")
    buyer_pan = models.CharField(max_length=9, blank=True, default="")
    taxable = models.BigIntegerField(help_text="paisa, without VAT")
    vat = models.BigIntegerField(help_text="paisa")
    total = models.BigIntegerField(help_text="paisa, with VAT")
    document = models.JSONField(help_text="all that is printed")

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        default_permissions = ("view",)
        permissions = [
            ("issue_invoice", _("Can issue invoices and credit notes")),
            ("export_invoice", _("Can export the sales register")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["series", "number"], name="loyalink_invoice_number_once"),
            models.CheckConstraint(
                condition=Q(total=F("taxable") + F("vat"), taxable__gte=0, vat__gte=0),
                name="loyalink_invoice_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(kind="invoice") | Q(invoice__isnull=False), name="loyalink_credit_note_of_invoice"
            ),
        ]
        indexes = [
            models.Index(fields=["-issued_on", "-id"], name="loyalink_invoice_newest"),
            models.Index(fields=["site_key", "-issued_on", "-id"], name="loyalink_invoice_of_site"),
            models.Index(Upper("code"), name="loyalink_invoice_code"),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {npr(Paisa(self.total))}"

    @property
    def is_credit_note(self) -> bool:
        return self.kind == DocumentKind.CREDIT_NOTE

    @property
    def sign(self) -> int:
        """1, or -1 for a credit note, in sums."""
        return -1 if self.is_credit_note else 1


class InvoicePrint(AppendOnlyModel):
    """One printing of a document: 0 is the original, the others are its copies by number."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="prints")
    number = models.PositiveIntegerField()
    key = models.CharField(max_length=64, unique=True, help_text="of the form that asked for it")
    printed_at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk; null: the customer")

    is_repeated: bool = False
    """Whether the flow has returned a printing that the same form had asked for before."""

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["invoice", "number"], name="loyalink_invoice_print_once"),
        ]

    def __str__(self) -> str:
        return f"copy {self.number} of {self.invoice_id}"


def of_purchase(purchase: Purchase) -> list[Invoice]:
    """Return the invoice of a purchase and what came after it, the oldest first."""
    return list(Invoice.objects.filter(purchase=purchase).order_by("pk"))


def purchases_of(typed: str) -> list[int]:
    """Return the pks of the purchases of a document's number, in any letters; of two PANs there may be two.

    A text that cannot be a number is not looked for: no statement then.
    """
    if not _CODE.fullmatch(typed):
        return []
    found = Invoice.objects.annotate(capitals=Upper("code")).filter(capitals=typed.upper())
    return list(found.order_by("purchase").values_list("purchase", flat=True).distinct())


def first_of(purchase: Purchase) -> Invoice | None:
    """Return the invoice of a purchase."""
    return Invoice.objects.filter(purchase=purchase, invoice=None).order_by("pk").first()


def credited(invoice: Invoice) -> tuple[Paisa, Paisa]:
    """Return how much of an invoice is credited so far, and the VAT in it. One statement."""
    rows = Invoice.objects.filter(invoice=invoice)
    is_credit = Q(kind=DocumentKind.CREDIT_NOTE)
    sums = rows.aggregate(
        taken=Sum("total", filter=is_credit), taken_vat=Sum("vat", filter=is_credit),
        back=Sum("total", filter=~is_credit), back_vat=Sum("vat", filter=~is_credit),
    )  # fmt: skip
    found = {name: value or 0 for name, value in sums.items()}
    return Paisa(found["taken"] - found["back"]), Paisa(found["taken_vat"] - found["back_vat"])


def lock_series(
    *, pan: str, fiscal_year: str, kind: DocumentKind, is_test: bool, prefix: str, first_number: int
) -> InvoiceSeries:
    """Return a series, created where it is the first of its year, and locked until the transaction ends.

    ``first_number`` is where the PAN's first series begins; those of later years begin at 1.
    """
    of_pan = InvoiceSeries.objects.filter(pan=pan, kind=kind, is_test=is_test)
    begin = 1 if of_pan.exclude(fiscal_year=fiscal_year).exists() else first_number
    series, _created = InvoiceSeries.objects.get_or_create(
        pan=pan, fiscal_year=fiscal_year, kind=kind, is_test=is_test,
        defaults={"prefix": prefix, "first_number": begin},
    )  # fmt: skip
    return InvoiceSeries.objects.select_for_update().get(pk=series.pk)


def newest_of(series: InvoiceSeries) -> tuple[int, date | None]:
    """Return the highest number of a locked series and its day; before the first one, the number below it and None."""
    newest = Invoice.objects.filter(series=series).order_by("-number").values_list("number", "issued_on").first()
    return newest if newest is not None else (series.first_number - 1, None)


def has_issued(pan: str) -> bool:
    """Return whether a PAN has a series of invoices: its starting number cannot change any more."""
    return InvoiceSeries.objects.filter(pan=pan, kind=DocumentKind.INVOICE, is_test=False).exists()


def fiscal_years() -> list[str]:
    """Return the fiscal years that have documents, the newest first."""
    return list(InvoiceSeries.objects.order_by("-fiscal_year").values_list("fiscal_year", flat=True).distinct())


def series_figures() -> "models.QuerySet[InvoiceSeries, Any]":
    """Return every series with the count, the lowest and the highest of its numbers."""
    return InvoiceSeries.objects.order_by("pk").annotate(
        issued=Count("invoices"), lowest=Min("invoices__number"), highest=Max("invoices__number")
    )
