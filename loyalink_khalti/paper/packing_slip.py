"""The packing slip of an order: what goes into the parcel and where it goes, without prices."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from loyalink_khalti import conf, flow
from loyalink_khalti.conf import formats
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingSlip:
    """The texts of a slip, in the active language."""

    title: str
    shop_name: str
    shop: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str], ...]
    """What, and how many; what was refunded is left out."""
    count: str


def packing_slip(purchase: Purchase) -> PackingSlip:
    """Return the slip of an order. It has no amounts: the parcel may be a present."""
    shop = conf.shop_details(purchase.site_key)
    rows = list(_left(purchase))
    number = sum(quantity for _title, quantity in rows)
    return PackingSlip(
        title=_("Packing slip %(number)s") % {"number": purchase.number or purchase.ref},
        shop_name=shop.shop_name,
        shop=(*shop.address.splitlines(), ", ".join(filter(None, (shop.phone, shop.email)))),
        facts=tuple(_facts(purchase)),
        rows=tuple((title, formats.number(quantity)) for title, quantity in rows),
        count=formats.number(number),
    )


def _left(purchase: Purchase) -> Iterator[tuple[str, int]]:
    refunded = refunds.refunded_lines(purchase)
    for line in purchase.frozen_cart.lines:
        gone = min(refunded[line.key], line.quantity)
        refunded[line.key] -= gone
        if line.quantity > gone:
            yield line.name, line.quantity - gone


def _facts(purchase: Purchase) -> Iterator[tuple[str, str]]:
    customer, buyer = purchase.frozen_cart.customer, flow.buyer_of(purchase)
    yield _("Order"), purchase.number or purchase.ref
    if purchase.placed_at:
        yield _("Placed"), formats.day(purchase.placed_at)
    for label, value in (
        (_("Name"), customer.name or buyer.name),
        (_("Address"), ", ".join(line.strip() for line in buyer.address.splitlines() if line.strip())),
        (_("Phone"), str(customer.phone)),
    ):
        if value:
            yield label, value


def packing_slip_pdf(slip: PackingSlip) -> bytes:
    """Return a slip as a PDF file (A4). It needs the extra ``pdf``."""
    from .sheet import BOLD, new_sheet, write_head, write_line, write_table, write_title

    pdf = new_sheet(title=slip.title, author=slip.shop_name)
    write_head(pdf, slip.shop_name, slip.shop)
    write_title(pdf, slip.title)
    for label, value in slip.facts:
        write_line(pdf, f"{label}: {value}")
    pdf.ln(3)
    heading = ((_("Product"), _("Quantity")), BOLD)
    total = ((_("Total"), slip.count), BOLD)
    write_table(pdf, [heading, *(((title, quantity), None) for title, quantity in slip.rows), total], widths=(80, 20))
    return bytes(pdf.output())
