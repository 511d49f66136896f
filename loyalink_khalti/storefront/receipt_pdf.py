"""A receipt on paper: one order as a PDF file, in Latin script and in Devanagari."""

from collections.abc import Iterator

from django.utils.translation import gettext as _
from fpdf import FPDF
from fpdf.fonts import FontFace

from loyalink_khalti import flow
from loyalink_khalti.conf import formats
from loyalink_khalti.paper.sheet import BOLD, QUIET, new_sheet, write_head, write_line, write_table, write_title

Row = tuple[str, str, FontFace | None]
"""What, how much, and how it is set."""


def receipt_pdf(receipt: flow.Receipt) -> bytes:
    """Return the receipt of a placed order as a PDF file (A4), in the active language."""
    title = _("Receipt %(number)s") % {"number": receipt.number}
    pdf = new_sheet(title=title, author=receipt.shop.shop_name)
    write_head(pdf, receipt.shop.shop_name, _about_shop(receipt))
    write_title(pdf, title)
    _facts(pdf, receipt)
    for rows in (_items(receipt), _charges(receipt), _money(receipt)):
        write_table(pdf, [((what, amount), style) for what, amount, style in rows])
    for sentence in _sentences(receipt):
        write_line(pdf, sentence)
    return bytes(pdf.output())


def _about_shop(receipt: flow.Receipt) -> list[str]:
    shop = receipt.shop
    registration = f"{shop.registration_label} {shop.registration_number}".strip() if shop.registration_label else ""
    return [*shop.address.splitlines(), ", ".join(filter(None, (shop.phone, shop.email))), registration]


def _facts(pdf: FPDF, receipt: flow.Receipt) -> None:
    facts = [
        (_("Placed"), formats.moment(receipt.placed_at) if receipt.placed_at else ""),
        (_("Name"), receipt.customer.name),
        (_("Payment method"), receipt.method_title),
        (_("Transaction"), receipt.transaction_id),
    ]
    for label, value in facts:
        if value:
            write_line(pdf, f"{label}: {value}")
    pdf.ln(3)


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
    yield _("Total"), formats.npr(sums.due), BOLD
    if sums.discount_included:
        yield _("Discount, in these prices already"), formats.npr(sums.discount_included), QUIET


def _money(receipt: flow.Receipt) -> Iterator[Row]:
    sums = receipt.figures
    method = f" ({receipt.method_title})" if receipt.method_title else ""
    for each in sums.received:
        yield (_("Paid, %(day)s") % {"day": formats.day(each.day)}) + method, formats.npr(each.amount), None
    for refund in sums.refunds:
        if refund.amount and refund.is_pending:
            yield _("Refund on its way"), formats.npr(refund.amount), QUIET
        elif refund.amount:
            day = {"day": formats.day(refund.at)}
            yield _("Refunded, %(day)s") % day, f"−{formats.npr(refund.amount)}", None
    if sums.refunded_total:
        yield _("Paid, less refunds"), formats.npr(sums.kept), BOLD
    if sums.left_to_pay:
        yield _("Left to pay") if sums.received else _("To pay"), formats.npr(sums.left_to_pay), BOLD
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
