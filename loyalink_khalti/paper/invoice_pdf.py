"""An invoice or a credit note as a PDF file (A4). It needs the extra ``pdf``."""

from typing import Any

from django.utils.translation import gettext as _

from .invoices import ON_SCREEN, PrintedDocument, in_language, printed
from .sheet import BOLD, FONT, new_sheet, write_head, write_line, write_table, write_title


def invoice_pdf(document: dict[str, Any], *, number: int = ON_SCREEN) -> bytes:
    """Return a stored document as a file, as it is printed the time ``number``, in its own language."""
    with in_language(document):
        return _file(printed(document, number=number), str(document["number"]))


def _file(shown: PrintedDocument, code: str) -> bytes:
    pdf = new_sheet(title=f"{shown.title} {code}", author=shown.seller_name)
    for mark in shown.marks:
        pdf.set_font(FONT, "B", 11)
        write_line(pdf, mark)
        pdf.ln(1)
    write_head(pdf, shown.seller_name, shown.seller)
    write_title(pdf, shown.title)
    for label, value in (*shown.facts, *shown.buyer):
        write_line(pdf, f"{label}: {value}")
    if shown.reason:
        write_line(pdf, f"{_('Reason')}: {shown.reason}")
    pdf.ln(3)
    heading = ((_("Description"), _("Quantity"), shown.amounts_heading), BOLD)
    rows = [((row.title, row.quantity, row.amount), None) for row in shown.rows]
    write_table(pdf, [heading, *rows], widths=(60, 14, 26))
    write_table(pdf, [((each.label, each.amount), BOLD if each.is_total else None) for each in shown.sums])
    write_line(pdf, f"{_('In words')}: {shown.words}")
    pdf.ln(14)
    write_line(pdf, f"{_('Authorised signature')}: ______________________")
    return bytes(pdf.output())
