"""What a mail says: the context of its templates, in the language that is active.

All mails have ``shop`` (`conf.ShopDetails`), ``css`` (inline styles), ``name`` (of the reader, or ""), ``site_url``,
``button_url`` and ``button`` (its label), and ``unsubscribe_url``, "" for mails about orders. Mails about orders have
``receipt`` (`flow.Receipt`), ``order`` (`mail_ports.OrderForMail`) and what became of the money; mails about points
have ``card`` (`flow.PointsCard`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.flow.members.claim import claim_path, claimable_points
from loyalink_khalti.flow.members.new_account import offer_account
from loyalink_khalti.flow.program.terms import TierTerms, program_tiers
from loyalink_khalti.flow.receipts.receipt import Receipt
from loyalink_khalti.flow.receipts.receipt import receipt as receipt_of
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import PointsCard
from loyalink_khalti.mail_ports import MailsOrders, OrderForMail
from loyalink_khalti.mail_rows import SentMail
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase, Refund

from .kinds import LOYALTY, MailKind
from .recipients import Recipient
from .style import styles
from .unsubscribing import unsubscribe_url


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundNotice:
    """One refund, as its mail tells of it; ``amount`` in paisa, below 0 where it turns out not to have been made."""

    amount: Paisa
    lines: tuple[str, ...] = ()
    """The products that it is for, each with its quantity; () where it is for an amount."""
    points_restored: Points = Points(0)
    points_clawed_back: Points = Points(0)
    is_at_khalti: bool = False
    """Whether Khalti refunds the money; otherwise the shop does."""
    is_correction: bool = False


def of(row: SentMail, purchase: Purchase | None, recipient: Recipient, host: MailsOrders | None) -> Any:
    """Return the context of the mail of a row; None where its order does not exist any more."""
    kind = MailKind(row.kind)
    if kind in LOYALTY and row.member_id:
        card = ledger.points_card(row.site_key, row.member_id)
        context = about_points(row.data, card=card, tiers=program_tiers(row.site_key))
        common = common_context(row.site_key, kind, name=recipient.name)
        number = {"order_number": purchase.number if purchase is not None else ""}
        return common | context | number | {"unsubscribe_url": unsubscribe_url(row.site_key, row.member_id)}
    assert purchase is not None, "a mail about an order has a purchase"
    order = OrderForMail() if host is None else host.order_for_mail(purchase.ref)
    if order is None:
        return None
    common = common_context(purchase.site_key, kind, name=recipient.name, order=order)
    about = about_order(row.data, receipt=receipt_of(purchase), refund=_refund(row.data, purchase))
    path = _path(purchase, row.data, order)
    url = {"button_url": conf.absolute_url(purchase.site_key, path)} if path else {}
    return common | about | url | _claim(kind, purchase)


def common_context(
    site_key: str, kind: MailKind | None = None, *, name: str = "", order: OrderForMail | None = None
) -> dict[str, Any]:  # fmt: skip
    """Return what every mail has."""
    details, order = conf.shop_details(site_key), order or OrderForMail()
    details = replace(
        details,
        shop_name=order.shop_name or details.shop_name or conf.site_url(site_key),
        mail_footer=order.footer or details.mail_footer,
    )
    return {
        "kind": kind.value if kind is not None else "",
        "shop": details,
        "shop_name": details.shop_name,
        "css": styles(details.colour),
        "name": name,
        "site_url": conf.site_url(site_key),
        "order": order,
        "button_url": points_url(site_key) if kind in LOYALTY else conf.site_url(site_key),
        "button": _button(kind),
        "unsubscribe_url": "",
    }


def _button(kind: MailKind | None) -> str:
    if kind is MailKind.POINTS_EXPIRING:
        return _("Use your points")
    if kind is MailKind.PAYMENT_REVIEW:
        return _("View your payment")
    return _("View your points") if kind in LOYALTY else _("View your order")


def about_order(data: Mapping[str, Any], *, receipt: Receipt, refund: RefundNotice | None = None) -> dict[str, Any]:
    """Return what a mail about an order has besides."""
    return {
        "receipt": receipt,
        "amount": Paisa(data.get("amount", 0)),
        "restored": Points(data.get("restored", 0)),
        "refund": refund,
        "claim_url": "",
        "account_url": "",
        "claim_points": Points(0),
    }


def about_points(data: Mapping[str, Any], *, card: PointsCard, tiers: tuple[TierTerms, ...]) -> dict[str, Any]:
    """Return what a mail about points has besides."""
    return {
        "card": card,
        "points": Points(data.get("points", 0)),
        "deducted": Points(-data.get("points", 0)),
        "points_value": Paisa(data.get("points_value", 0)),
        "source": data.get("source", ""),
        "tier": next((tier for tier in tiers if tier.key == data.get("tier")), None),
        "tier_name": data.get("tier", ""),
        "last_day": date.fromisoformat(data["last_day"]) if data.get("last_day") else None,
    }


def points_url(site_key: str) -> str:
    """Return the address of the page with a member's points: the first that a shop has, else the storefront's own."""
    paths = (page() for shop in conf.shops().values() if (page := getattr(shop, "points_page", None)) is not None)
    path = next((path for path in paths if path), "") or _reverse("loyalink_khalti:points")
    return conf.absolute_url(site_key, path) if path else conf.site_url(site_key)


def _reverse(name: str, *args: str) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def refund_notice(refund: Refund, purchase: Purchase) -> RefundNotice:
    """Return what the mail about a refund tells of it."""
    names = {line.key: line.name for line in purchase.frozen_cart.lines}
    counted = refunds.lines_by_key(purchase.frozen_cart, refunds.count_lines(refund.lines))
    return RefundNotice(
        amount=Paisa(refund.amount),
        lines=tuple(f"{abs(number)} × {names[key]}" for key, number in counted.items() if number and key in names),
        points_restored=Points(refund.points_restored),
        points_clawed_back=Points(refund.points_clawed_back),
        is_at_khalti=refund.payment_id is not None,
        is_correction=refund.reverses_id is not None,
    )


def _refund(data: Mapping[str, Any], purchase: Purchase) -> RefundNotice | None:
    row = Refund.objects.filter(pk=data["refund"], purchase=purchase).first() if data.get("refund") else None
    if row is not None:
        return refund_notice(row, purchase)
    return RefundNotice(amount=Paisa(data.get("amount", 0)), is_at_khalti=True)


def _path(purchase: Purchase, data: Mapping[str, Any], order: OrderForMail) -> str:
    """Return the page of the order, or of its newest payment where the host has none, "" for neither."""
    token = data.get("token")
    if not token and order.path:
        return order.path
    token = token or purchase.payments.order_by("-pk").values_list("token", flat=True).first()
    return _reverse("loyalink_khalti:status", token) if token else ""


def _claim(kind: MailKind, purchase: Purchase) -> dict[str, Any]:
    """Return the links with which a guest makes an account of an order, and claims its points with one."""
    if purchase.member_id or kind is not MailKind.ORDER_PLACED or not (path := claim_path(purchase)):
        return {}
    offer = offer_account(purchase)
    return {
        "claim_url": conf.absolute_url(purchase.site_key, path),
        "claim_points": claimable_points(purchase),
        "account_url": conf.absolute_url(purchase.site_key, offer.path) if offer is not None else "",
    }
