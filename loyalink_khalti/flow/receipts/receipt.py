"""The receipt of an order: its state, its figures and its course, as its customer sees them everywhere.

Texts are in the language that is active; figures are paisa and points, to be shown by the template filters.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import CAPTURED, PurchaseState, RefundKind
from loyalink_khalti.ports import Customer, PaymentMethod

from .breakdown import Breakdown, break_down
from .facts import NO_FACTS, OrderFacts, facts_of
from .rows import Rows, money_of, points_of, refunded_lines, rows_of
from .states import AWAITED, ReceiptState, made, state_of
from .timeline import Event, timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """How to transfer the money that is awaited; ``amount`` in paisa."""

    bank_details: str
    """Bank, account and name, as the shop has written them; "" where it has not."""
    reference: str
    amount: Paisa
    deadline: date | None
    """The last day in Nepal, None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pickup:
    """Where and when the order is collected, as the shop has written it."""

    place: str
    hours: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a customer sees of an order."""

    purchase: Purchase
    number: str
    state: ReceiptState
    figures: Breakdown
    timeline: tuple[Event, ...]
    method: PaymentMethod
    method_title: str
    """How it is or was paid; "" where points covered all of it."""
    transaction_id: str
    """Khalti's, of the payment that paid for the order, or whose money is there."""
    delivery: str
    """The name of the delivery method, "" where it is not known."""
    status: str
    """The order's status as the shop calls it, "" where it is not known."""
    transfer: Transfer | None
    """While a bank transfer is awaited."""
    pickup: Pickup | None
    """Where the customer collects the order."""
    under_review: bool
    """Whether money has arrived for it that bought nothing so far: a second payment, for example."""
    shop: "conf.ShopDetails"

    @property
    def placed_at(self) -> datetime | None:
        return self.purchase.placed_at

    @property
    def is_placed(self) -> bool:
        return self.purchase.state == PurchaseState.PLACED

    @property
    def is_awaited(self) -> bool:
        """Whether cash or a bank transfer has yet to arrive, all of it or a part."""
        return self.state in AWAITED

    @property
    def is_cash(self) -> bool:
        return self.method is PaymentMethod.COD

    @property
    def will_earn(self) -> bool:
        """Whether points are awarded once the money has arrived."""
        is_open = self.state is ReceiptState.CONFIRMING or self.is_awaited
        return is_open and self.purchase.earner is not None and not self.figures.points_earned

    @property
    def customer(self) -> Customer:
        return self.purchase.frozen_cart.customer


def receipts(purchases: Iterable[Purchase]) -> list[Receipt]:
    """Return the receipts of purchases, in their order: three statements at most, and the shops' own."""
    wanted = list(purchases)
    if not wanted:
        return []
    rows, facts = rows_of(wanted), facts_of(wanted)
    return [_receipt(each, rows[each.pk], facts.get(each.pk, NO_FACTS)) for each in wanted]


def receipt(purchase: Purchase) -> Receipt:
    """Return the receipt of a purchase."""
    return receipts([purchase])[0]


def receipt_for(shop: str, ref: str) -> Receipt | None:
    """Return the receipt of a host's order, None for an order that did not come through the flow."""
    purchase = Purchase.objects.filter(shop=shop, ref=ref).first()
    return receipt(purchase) if purchase is not None else None


def receipts_for(shop: str, refs: Iterable[str]) -> dict[str, Receipt]:
    """Return the receipts of a host's orders by ``ref``, without those that did not come through the flow."""
    return {each.purchase.ref: each for each in receipts(Purchase.objects.filter(shop=shop, ref__in=list(refs)))}


def _receipt(purchase: Purchase, rows: Rows, facts: OrderFacts) -> Receipt:
    state = state_of(purchase, rows.payments, rows.refunds)
    done = made(rows.refunds)
    figures = break_down(
        purchase.frozen_cart,
        facts,
        points=points_of(purchase),
        money=money_of(purchase, rows, state),
        refunded=refunded_lines(purchase, done),
    )
    shop = conf.shop_details(purchase.site_key)
    method = PaymentMethod(purchase.method)
    return Receipt(
        purchase=purchase,
        number=purchase.number or purchase.ref,
        state=state,
        figures=figures,
        timeline=timeline(purchase, state, figures, facts, cancelled_at=done[0].done_at if done else None),
        method=method,
        method_title=method_title(method),
        transaction_id=_transaction_id(rows),
        delivery=facts.delivery,
        status=facts.status,
        transfer=_transfer(purchase, state, figures, facts, shop),
        pickup=Pickup(place=shop.pickup_place, hours=shop.pickup_hours) if facts.is_pickup else None,
        under_review=_is_under_review(purchase, rows),
        shop=shop,
    )


def method_title(method: PaymentMethod) -> str:
    """Return the name of a payment method, "" for points, which are no money."""
    titles = {
        PaymentMethod.KHALTI: _("Khalti"),
        PaymentMethod.COD: _("Cash on delivery"),
        PaymentMethod.BANK_TRANSFER: _("Bank transfer"),
    }
    return titles.get(method, "")


def _transaction_id(rows: Rows) -> str:
    known = [each for each in rows.payments if each.transaction_id and each.state in CAPTURED]
    placed = [each for each in known if each.fulfilled_at is not None]
    return str((placed or known)[0].transaction_id) if known else ""


def _is_under_review(purchase: Purchase, rows: Rows) -> bool:
    """Whether a captured payment bought nothing and is not refunded in full, apart from a purchase's own."""
    returned = {row.payment_id for row in rows.refunds if row.kind == RefundKind.PAYMENT}
    waiting = [
        each for each in rows.payments
        if each.state in CAPTURED and each.fulfilled_at is None and (each.captured or 0) > each.refunded
    ]  # fmt: skip
    return purchase.state == PurchaseState.PLACED and any(each.pk not in returned for each in waiting)


def _transfer(
    purchase: Purchase, state: ReceiptState, figures: Breakdown, facts: OrderFacts, shop: "conf.ShopDetails"
) -> Transfer | None:
    if state not in AWAITED or purchase.method != PaymentMethod.BANK_TRANSFER:
        return None
    placed_at = purchase.placed_at or purchase.created_at
    days = shop.transfer_days
    return Transfer(
        bank_details=facts.bank_details or shop.bank_details,
        reference=purchase.number or purchase.ref,
        amount=figures.left_to_pay,
        deadline=day_of(placed_at) + timedelta(days=days) if days else None,
    )
