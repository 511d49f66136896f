"""Checks of invoices: a PAN that is none, and libraries that are missing."""

from django.apps import apps

from loyalink_khalti import bikram_sambat, nepal
from loyalink_khalti.paper import can_make_pdf

from .registration import Messages, database_check, error, warning


@database_check
def invoices(_alias: str) -> Messages:
    """Only where a PAN is entered: without one there are no invoices."""
    settings = apps.get_model("loyalink_khalti", "InvoiceSettings")
    rows = list(settings.objects.exclude(pan="").select_related("site").order_by("pk"))
    for row in rows:
        if nepal.pan(row.pan) != row.pan:
            yield error(
                78,
                f"The PAN of {row.site} is {row.pan!r}: a PAN has nine digits. No invoices are issued.",
                "Correct it in Wagtail's admin: Settings, Invoices.",
            )
    if rows and not bikram_sambat.is_installed():
        yield error(
            79,
            "Invoices are on, and the library for the Bikram Sambat is missing: the fiscal year of an invoice cannot"
            " be known, and none is issued.",
            'pip install "loyalink-khalti[bikram-sambat]"',
        )
    if rows and not can_make_pdf():
        yield warning(
            80,
            "Invoices are on, and the libraries for PDF files are missing: they are printed from the browser alone.",
            'pip install "loyalink-khalti[pdf]"',
        )
