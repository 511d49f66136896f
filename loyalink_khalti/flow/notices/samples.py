"""Examples of every mail, for staff who decide whether it is sent: an order of two products, a member with points."""

from datetime import timedelta
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.flow.program.terms import program_tiers
from loyalink_khalti.flow.receipts.breakdown import Money, PointsMoved, Received, Refunded, break_down
from loyalink_khalti.flow.receipts.receipt import Receipt, Transfer, method_title
from loyalink_khalti.flow.receipts.states import ReceiptState
from loyalink_khalti.loyalty.ledger import PointsCard
from loyalink_khalti.mail_ports import Mail, OrderForMail
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.ports import Cart, Customer, Line, PaymentMethod

from . import contents, mailing
from .contents import RefundNotice
from .kinds import LOYALTY, MailKind

_BY_TRANSFER = {MailKind.MONEY_RECEIVED, MailKind.ORDER_CANCELLED}
_PRICE, _REFUND, _PART = Paisa(200_000), Paisa(25_000), Paisa(100_000)


def sample_mail(kind: MailKind, *, site_key: str, language: str) -> Mail:
    """Return a mail of a kind as a customer of the site would get it, with an invented order; nothing is written."""
    with translation.override(conf.language(language)):
        common = contents.common_context(site_key, kind, name="Sita", order=_order())
        if kind in LOYALTY:
            data = _points_data(kind, site_key)
            about = contents.about_points(data, card=_card(), tiers=program_tiers(site_key))
            about |= {"order_number": "SS-100042", "unsubscribe_url": conf.site_url(site_key)}
        else:
            data = {"amount": _PART if kind is MailKind.MONEY_RECEIVED else 245_000, "restored": 500}
            about = contents.about_order(data, receipt=_receipt(kind, site_key), refund=_refund())
        return mailing.render(kind, common | about)


def _order() -> OrderForMail:
    return OrderForMail(address=("Sita Sharma", "Naxal Marga 7", "Kathmandu", "9841234567"))


def _refund() -> RefundNotice:
    return RefundNotice(
        amount=Paisa(24_500), lines=(f"1 × {_('Ink')}",), points_restored=Points(50), points_clawed_back=Points(24),
        is_at_khalti=True,
    )  # fmt: skip


def _card() -> PointsCard:
    return PointsCard(available=Points(1200), points_value=Paisa(12_000), next_tier="", pending=Points(0))


def _points_data(kind: MailKind, site_key: str) -> dict[str, Any]:
    tiers = program_tiers(site_key)
    return {
        "points": 100 if kind is MailKind.POINTS_ADJUSTED else 245,
        "source": "order",
        "points_value": 2_450,
        "last_day": day_of(timezone.now() + timedelta(days=14)).isoformat(),
        "tier": tiers[-1].key if tiers else "",
    }


def _receipt(kind: MailKind, site_key: str) -> Receipt:
    now, method = timezone.now(), PaymentMethod.BANK_TRANSFER if kind in _BY_TRANSFER else PaymentMethod.KHALTI
    pen = Line(id="1", sku="PEN", title=_("Fountain pen"), quantity=1, unit=_PRICE, total=_PRICE)
    ink = Line(id="2", sku="INK", title=_("Ink"), quantity=2, unit=_REFUND, total=Paisa(2 * _REFUND))
    cart = Cart(
        shop="", ref="SS-100042", origin="", site_key=site_key, language="", name="", lines=(pen, ink),
        shipping=Paisa(0), discount=Paisa(0), total=Paisa(250_000), customer=Customer(name="Sita"), member_id=None,
        points_redeemed=Points(500),
    )  # fmt: skip
    stored, details = cart.to_stored()
    is_review = kind is MailKind.PAYMENT_REVIEW
    purchase = Purchase(
        ref=cart.ref, number=cart.ref, site_key=site_key, cart=stored, line_details=details, method=method,
        state=PurchaseState.OPEN if is_review else PurchaseState.PLACED, total=cart.total, amount_due=245_000,
        points_redeemed=500, points_value=5_000, placed_at=now, created_at=now, member_id="1",
    )  # fmt: skip
    state = _state(kind)
    figures = break_down(
        cart,
        points=PointsMoved(used=Points(500), value=Paisa(5_000), earned=Points(0 if kind in _BY_TRANSFER else 245)),
        money=_money(kind, method),
        refunded={"2": 1} if kind is MailKind.ORDER_REFUNDED else {},
    )
    shop = conf.shop_details(site_key)
    transfer = None
    if kind is MailKind.MONEY_RECEIVED:
        deadline = day_of(now + timedelta(days=shop.transfer_days)) if shop.transfer_days else None
        transfer = Transfer(
            bank_details=shop.bank_details, reference=cart.ref, amount=figures.left_to_pay, deadline=deadline
        )
    return Receipt(
        purchase=purchase, number=cart.ref, state=state, figures=figures, timeline=(), method=method,
        method_title=method_title(method), transaction_id="" if kind in _BY_TRANSFER else "4H7AhoXDJWg5WjrcPT9ixW",
        delivery=_("Delivery"), status="", transfer=transfer, pickup=None, under_review=False, shop=shop,
    )  # fmt: skip


def _state(kind: MailKind) -> ReceiptState:
    states = {
        MailKind.MONEY_RECEIVED: ReceiptState.PART_PAID,
        MailKind.PAYMENT_REVIEW: ReceiptState.REVIEW,
        MailKind.ORDER_CANCELLED: ReceiptState.CANCELLED,
        MailKind.ORDER_REFUNDED: ReceiptState.PARTLY_REFUNDED,
    }
    return states.get(kind, ReceiptState.PAID)


def _money(kind: MailKind, method: PaymentMethod) -> Money:
    now = timezone.now()
    if kind is MailKind.ORDER_CANCELLED:
        return Money()
    amount = _PART if kind is MailKind.MONEY_RECEIVED else Paisa(245_000)
    received = (Received(at=now, day=day_of(now), amount=amount, method=method),)
    if kind is MailKind.ORDER_REFUNDED:
        went = Refunded(at=now, amount=Paisa(24_500), method=method, points_restored=Points(50))
        return Money(received=received, refunds=(went,))
    return Money(received=received, left_to_pay=Paisa(245_000 - amount))
