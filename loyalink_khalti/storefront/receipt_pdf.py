"""A receipt on paper: one order as a PDF file, in Latin script and in Devanagari.

fpdf2 shapes Devanagari with HarfBuzz (uharfbuzz). The font is beside this file, under the SIL Open Font License: one
for both scripts, because fpdf2 (2.8) loses the font after a text that falls back to another one.
"""

from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace

from loyalink_khalti import flow
from loyalink_khalti.conf import formats

FONTS = Path(__file__).parent / "fonts"
FONT = "Noto Sans Latin Devanagari"
_LINE_HEIGHT = 1.45
_BOLD = FontFace(emphasis="BOLD")
_QUIET = FontFace(color=(90, 90, 90))
Row = tuple[str, str, FontFace | None]
"""What, how much, and how it is set."""


def receipt_pdf(receipt: flow.Receipt) -> bytes:
    """Return the receipt of a placed order as a PDF file (A4), in the active language."""
    pdf = _new(receipt)
    _head(pdf, receipt)
    _title(pdf, receipt)
    _table(pdf, list(_items(receipt)))
    _table(pdf, list(_charges(receipt)))
    _table(pdf, list(_money(receipt)))
    for sentence in _sentences(receipt):
        _line(pdf, sentence)
    return bytes(pdf.output())


def _new(receipt: flow.Receipt) -> FPDF:
    pdf = FPDF(format="A4")
    pdf.set_margin(18)
    for style, weight in (("", "Regular"), ("B", "Bold")):
        pdf.add_font(FONT, style, FONTS / f"{FONT.replace(' ', '')}-{weight}.ttf")
    pdf.set_text_shaping(use_shaping_engine=True, script="deva")  # of the first letter alone, where it is not named
    pdf.set_title(_("Receipt %(number)s") % {"number": receipt.number})
    pdf.set_author(receipt.shop.shop_name)
    pdf.set_lang(get_language() or "en")
    pdf.add_page()
    return pdf


def _head(pdf: FPDF, receipt: flow.Receipt) -> None:
    shop = receipt.shop
    pdf.set_font(FONT, "B", 16)
    _line(pdf, shop.shop_name)
    pdf.set_font(FONT, "", 10)
    registration = f"{shop.registration_label} {shop.registration_number}".strip() if shop.registration_label else ""
    for text in (*shop.address.splitlines(), ", ".join(filter(None, (shop.phone, shop.email))), registration):
        if text.strip():
            _line(pdf, text.strip())
    pdf.ln(2)
    pdf.set_draw_color(120, 120, 120)
    pdf.line(pdf.l_margin, pdf.y, pdf.w - pdf.r_margin, pdf.y)
    pdf.ln(4)


def _title(pdf: FPDF, receipt: flow.Receipt) -> None:
    pdf.set_font(FONT, "B", 13)
    _line(pdf, _("Receipt %(number)s") % {"number": receipt.number})
    pdf.set_font(FONT, "", 10)
    facts = [
        (_("Placed"), formats.moment(receipt.placed_at) if receipt.placed_at else ""),
        (_("Name"), receipt.customer.name),
        (_("Payment method"), receipt.method_title),
        (_("Transaction"), receipt.transaction_id),
    ]
    for label, value in facts:
        if value:
            _line(pdf, f"{label}: {value}")
    pdf.ln(3)


def _line(pdf: FPDF, text: str) -> None:
    pdf.multi_cell(0, pdf.font_size * _LINE_HEIGHT, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _table(pdf: FPDF, rows: list[Row]) -> None:
    """Draw rows with their amounts at the right, and a rule below them."""
    if not rows:
        return
    with pdf.table(
        borders_layout=TableBordersLayout.NONE, col_widths=(70, 30), first_row_as_headings=False,
        line_height=pdf.font_size * _LINE_HEIGHT, text_align=("LEFT", "RIGHT"), width=pdf.epw,
    ) as table:  # fmt: skip
        for what, amount, style in rows:
            row = table.row(style=style)
            row.cell(what)
            row.cell(amount)
    pdf.ln(1)
    pdf.line(pdf.l_margin, pdf.y, pdf.w - pdf.r_margin, pdf.y)
    pdf.ln(2)


def _items(receipt: flow.Receipt) -> Iterator[Row]:
    for line in receipt.figures.lines:
        title = f"{line.title} ({line.options})" if line.options else line.title
        quantity = f"{formats.number(line.quantity)} × "
        refunded = _("%(number)s refunded") % {"number": formats.number(line.refunded)}
        yield f"{quantity}{title}" + (f" – {refunded}" if line.refunded else ""), formats.npr(line.amount), None


def _charges(receipt: flow.Receipt) -> Iterator[Row]:
    sums = receipt.figures
    if sums.products != sums.due:
        yield _("Subtotal"), formats.npr(sums.products), None
    for discount in sums.discounts:
        yield discount.title or _("Discount"), f"−{formats.npr(discount.amount)}", None
    if sums.delivery or receipt.delivery:
        charge = formats.npr(sums.delivery) if sums.delivery else _("free")
        yield receipt.delivery or _("Delivery"), charge, None
    for each in sums.surcharges:
        yield each.title or _("Other charges"), formats.npr(each.amount), None
    if sums.points_used:
        yield f"{_('Points used')} ({formats.number(sums.points_used)})", f"−{formats.npr(sums.points_value)}", None
    yield _("Total"), formats.npr(sums.due), _BOLD
    if sums.discount_included:
        yield _("Discount, in these prices already"), formats.npr(sums.discount_included), _QUIET


def _money(receipt: flow.Receipt) -> Iterator[Row]:
    sums = receipt.figures
    method = f" ({receipt.method_title})" if receipt.method_title else ""
    for each in sums.received:
        yield (_("Paid, %(day)s") % {"day": formats.day(each.day)}) + method, formats.npr(each.amount), None
    for refund in sums.refunds:
        if refund.amount and refund.is_pending:
            yield _("Refund on its way"), formats.npr(refund.amount), _QUIET
        elif refund.amount:
            day = {"day": formats.day(refund.at)}
            yield _("Refunded, %(day)s") % day, f"−{formats.npr(refund.amount)}", None
    if sums.refunded_total:
        yield _("Paid, less refunds"), formats.npr(sums.kept), _BOLD
    if sums.left_to_pay:
        yield _("Left to pay") if sums.received else _("To pay"), formats.npr(sums.left_to_pay), _BOLD
    elif sums.not_charged:
        yield _("Not charged"), formats.npr(sums.not_charged), None


def _sentences(receipt: flow.Receipt) -> Iterator[str]:
    sums, state = receipt.figures, receipt.state
    if state is flow.ReceiptState.CANCELLED:
        yield _("This order is cancelled. Nothing is left to pay.")
    if not sums.due and sums.points_used:
        yield _("Your points paid for the whole order.")
    for text, points in (
        (_("Points earned: %(points)s"), sums.points_earned),
        (_("Points returned to you: %(points)s"), sums.points_returned),
        (_("Points reversed with the refund: %(points)s"), sums.points_reversed),
    ):
        if points:
            yield text % {"points": formats.number(points)}
    if receipt.transfer is not None:
        yield from _transfer(receipt.transfer)


def _transfer(transfer: flow.Transfer) -> Iterator[str]:
    values = {"amount": formats.npr(transfer.amount), "number": transfer.reference}
    yield _("Please transfer %(amount)s and write the order number %(number)s with it.") % values
    if transfer.deadline:
        yield f"{_('Please transfer by')}: {formats.day(transfer.deadline)}"
    yield from transfer.bank_details.splitlines()
