"""Everything that is on record of one payment, in sections of rows: what a shop shows in a dispute. Reads only.

It has what the customer bought and got, which mails were sent, and every answer of Khalti's. It has no key and no
address of a secret page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from loyalink_khalti import conf, flow
from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.staff.labels import RESOLUTIONS, payment_status, refund_reason, refund_status

from .timeline import timeline

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the evidence: ``head`` names the columns; () for pairs of a label and a value."""

    title: str
    rows: list[Row]
    head: Row = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The evidence of one payment, as texts for people, in the active language."""

    title: str
    shop: "conf.ShopDetails"
    made_at: datetime
    sections: list[Section]


def evidence(payment: Payment) -> Evidence:
    """Return what is on record of a payment now."""
    purchase = payment.purchase
    sections = [
        Section(title=_("Payment"), rows=list(_payment(payment))),
        Section(title=_("Order"), rows=list(_order(purchase))),
        Section(title=_("Products"), head=(_("Product"), _("Quantity"), _("Price")), rows=list(_products(purchase))),
        Section(title=_("Delivery"), rows=list(_delivery(purchase))),
        Section(title=_("Khalti's answers"), head=(_("Time"), _("Status"), _("Detail")), rows=list(_lookups(payment))),
        Section(title=_("History"), head=(_("Time"), _("Event"), _("Detail")), rows=list(_history(payment))),
        Section(
            title=_("Refunds"), head=(_("Time"), _("Amount"), _("Status"), _("Detail")), rows=list(_refunds(purchase))
        ),
        Section(title=_("Flags"), head=(_("Time"), _("Reason"), _("Answer")), rows=list(_flags(payment))),
        Section(
            title=_("E-mails to the customer"), head=(_("Time"), _("E-mail"), _("To")), rows=list(_mails(purchase))
        ),
    ]
    name = purchase.number or purchase.ref
    return Evidence(
        title=_("Evidence of the payment of order %(order)s") % {"order": name},
        shop=conf.shop_details(purchase.site_key),
        made_at=timezone.now(),
        sections=[section for section in sections if section.rows],
    )


def as_json(payment: Payment) -> dict[str, Any]:
    """Return the same as JSON data, with exact figures in paisa besides the texts."""
    found, purchase = evidence(payment), payment.purchase
    return {
        "title": found.title,
        "made_at": found.made_at.isoformat(),
        "shop": found.shop.shop_name,
        "figures": {
            "currency": "NPR",
            "due": payment.amount,
            "captured": payment.captured,
            "fee": payment.fee,
            "refunded": payment.refunded,
            "points_used": purchase.points_redeemed,
            "points_value": purchase.points_value,
            "pidx": payment.pidx,
            "transaction_id": payment.transaction_id,
            "purchase_order_id": payment.purchase_order_id,
        },
        "lookups": payment.lookup_history,
        "sections": [{"title": each.title, "head": each.head, "rows": each.rows} for each in found.sections],
    }


def _payment(payment: Payment) -> Iterator[Row]:
    yield _("Order ID at Khalti"), payment.purchase_order_id
    yield "pidx", payment.pidx or "–"
    yield _("Transaction"), payment.transaction_id or "–"
    yield _("Status"), str(payment_status(payment).label)
    if payment.environment == conf.TEST:
        yield _("Khalti's server"), _("Test: no money moves")
    yield _("Due"), npr(Paisa(payment.amount))
    if payment.captured is not None:
        yield _("Captured"), npr(Paisa(payment.captured))
        yield _("Khalti's fee"), npr(Paisa(payment.fee)) if payment.fee is not None else _("unknown")
        yield _("Refunded"), npr(Paisa(payment.refunded))
    if payment.paid_at:
        yield _("Paid"), formats.moment(payment.paid_at)
    if payment.recorded_outcome:
        yield _("Source"), _("Recorded by staff, not confirmed by Khalti")


def _order(purchase: Purchase) -> Iterator[Row]:
    customer = purchase.frozen_cart.customer
    yield _("Number"), purchase.number or _("not placed")
    if purchase.placed_at:
        yield _("Placed"), formats.moment(purchase.placed_at)
    yield _("Customer"), ", ".join(filter(None, (customer.name, customer.email, customer.phone))) or "–"
    yield _("Account"), _("member") if purchase.member_id else _("guest")


def _products(purchase: Purchase) -> Iterator[Row]:
    cart = purchase.frozen_cart
    for line in cart.lines:
        yield line.name, formats.number(line.quantity), npr(line.total)
    if cart.shipping:
        yield _("Delivery"), "", npr(cart.shipping)
    if purchase.points_value:
        yield _("Points used"), formats.number(purchase.points_redeemed), f"−{npr(Paisa(purchase.points_value))}"
    yield _("Due"), "", npr(Paisa(purchase.amount_due))


def _delivery(purchase: Purchase) -> Iterator[Row]:
    """What the shop itself knows: the way, the address, and when the order was sent and delivered."""
    receipt = flow.receipt(purchase)
    if receipt.delivery:
        yield _("Way of delivery"), receipt.delivery
    shop: Any = conf.shops().get(purchase.shop)
    known = shop.order_for_mail(purchase.ref) if hasattr(shop, "order_for_mail") else None
    if known is not None and known.address:
        yield _("Address"), ", ".join(known.address)
    if receipt.status:
        yield _("Status in the shop"), receipt.status
    labels = {"shipped": _("Shipped"), "delivered": _("Delivered"), "cancelled": _("Cancelled")}
    for step in receipt.timeline:
        if step.is_done and step.kind.value in labels:
            yield labels[step.kind.value], formats.moment(step.at) if step.at else str(step.day)


def _lookups(payment: Payment) -> Iterator[Row]:
    for answer in payment.lookup_history:
        at = parse_datetime(answer["at"])
        details = [
            npr(Paisa(answer["total_amount"])) if answer.get("total_amount") is not None else "",
            answer.get("transaction_id") or "",
            _("fee %(fee)s") % {"fee": npr(Paisa(answer["fee"]))} if answer.get("fee") else "",
        ]
        yield formats.moment(at) if at else "", str(answer.get("status", "")), " · ".join(filter(None, details))


def _history(payment: Payment) -> Iterator[Row]:
    for event in timeline(payment):
        by = _("by %(actor)s") % {"actor": event.actor} if event.actor else ""
        yield formats.moment(event.at), str(event.title), " · ".join(filter(None, (str(event.detail), by)))


def _refunds(purchase: Purchase) -> Iterator[Row]:
    for refund in purchase.refunds.order_by("pk"):
        channel = _("at Khalti") if refund.payment_id else _("outside Khalti")
        status, _colour = refund_status(refund)
        detail = " · ".join(filter(None, (channel, refund_reason(refund))))
        yield formats.moment(refund.requested_at), npr(Paisa(refund.amount)), str(status), detail


def _flags(payment: Payment) -> Iterator[Row]:
    for flag in payment.flags.order_by("pk"):
        label = RESOLUTIONS.get(flag.resolution)  # type: ignore[call-overload]  # a StrEnum's value is a key
        answer = (label or _("resolved automatically")) if flag.resolved_at else _("open")
        yield formats.moment(flag.raised_at), str(REASONS[FlagReason(flag.reason)]), str(answer)


def _mails(purchase: Purchase) -> Iterator[Row]:
    for mail in flow.mails_of(purchase):
        if mail.sent_at:
            yield formats.moment(mail.sent_at), mail.label, mail.sent_to
