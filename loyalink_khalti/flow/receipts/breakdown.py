"""The figures of an order, computed once: they sum to the paisa on page, mail, print and PDF. Pure; amounts are paisa.

Three sums hold, always::

    products − discounts + delivery + surcharges = total       total − points_value = due
    due + surplus = received − returned + left_to_pay + not_charged
    received − refunded = kept
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from loyalink_khalti.money import Paisa, Points, shares
from loyalink_khalti.ports import Cart, PaymentMethod

from .facts import NO_FACTS, Charge, OrderFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLine:
    """One line as it is shown: ``amount`` is its price before offers and coupons, where the host knows that."""

    key: str
    """``Line.key``."""
    title: str
    """In the reader's language, where the host had one at the purchase."""
    options: str
    quantity: int
    amount: Paisa
    refunded: int = 0
    """How many of them are refunded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Money that has arrived."""

    at: datetime
    day: date
    """The day in Nepal on which it arrived."""
    amount: Paisa
    method: PaymentMethod
    reference: str = ""
    """Khalti's transaction id, or the bank's reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """Money and points that went back, or are on their way."""

    at: datetime
    amount: Paisa
    method: PaymentMethod
    is_pending: bool = False
    """Khalti has not confirmed it yet: it counts in no sum."""
    is_of_order: bool = True
    """Whether a part of the order goes back with it; otherwise it is money that the order did not need."""
    points_restored: Points = Points(0)
    points_clawed_back: Points = Points(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What has moved so far, oldest first."""

    received: tuple[Received, ...] = ()
    refunds: tuple[Refunded, ...] = ()
    left_to_pay: Paisa = Paisa(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsMoved:
    """Points used, with their value in paisa, and earned."""

    used: Points = Points(0)
    value: Paisa = Paisa(0)
    earned: Points = Points(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """An order in figures. The sums of the module's docstring hold."""

    lines: tuple[ItemLine, ...]
    products: Paisa
    """The sum of the lines."""
    discounts: tuple[Charge, ...]
    discount_included: Paisa
    """A discount that the lines include already, because their prices before it are not known."""
    delivery: Paisa
    surcharges: tuple[Charge, ...]
    total: Paisa
    """Before points."""
    points_used: Points
    points_value: Paisa
    due: Paisa
    received: tuple[Received, ...]
    refunds: tuple[Refunded, ...]
    left_to_pay: Paisa
    points_earned: Points
    """Before any refund."""

    @property
    def received_total(self) -> Paisa:
        return Paisa(sum(each.amount for each in self.received))

    @property
    def refunded_total(self) -> Paisa:
        return Paisa(sum(each.amount for each in self.refunds if not each.is_pending))

    @property
    def returned(self) -> Paisa:
        """What was refunded apart from the order: a surplus, a second payment, a payment without an order."""
        return Paisa(sum(each.amount for each in self.refunds if not (each.is_pending or each.is_of_order)))

    @property
    def kept(self) -> Paisa:
        """What the shop has of the money now."""
        return Paisa(self.received_total - self.refunded_total)

    @property
    def surplus(self) -> Paisa:
        """What was received, is not returned, and the order does not need."""
        return Paisa(max(self.received_total - self.returned - self.due, 0))

    @property
    def not_charged(self) -> Paisa:
        """What is due and will never be paid: the order came to nothing, or the shop was content with less."""
        return Paisa(self.due + self.surplus - (self.received_total - self.returned) - self.left_to_pay)

    @property
    def points_reversed(self) -> Points:
        """Earned points that refunds took back."""
        return Points(sum(each.points_clawed_back for each in self.refunds if not each.is_pending))

    @property
    def points_returned(self) -> Points:
        """Used points that refunds returned."""
        return Points(sum(each.points_restored for each in self.refunds if not each.is_pending))

    @property
    def points_kept(self) -> Points:
        """Earned points less those that refunds took back."""
        return Points(self.points_earned - self.points_reversed)


def break_down(
    cart: Cart,
    facts: OrderFacts = NO_FACTS,
    *,
    points: PointsMoved = PointsMoved(),
    money: Money = Money(),
    refunded: Mapping[str, int] | None = None,
) -> Breakdown:
    """Return the figures of an order. ``refunded`` are the refunded quantities by ``Line.key``."""
    prices = _prices(cart, facts)
    lines = _lines(cart, prices, Counter(refunded or {}))
    products = Paisa(sum(prices))
    discounts = _discounts(facts.discounts, products - cart.subtotal)
    surcharges = _surcharges(cart, facts.surcharges)
    delivery = Paisa(cart.shipping - sum(each.amount for each in surcharges))
    if products < cart.subtotal:  # what the shop charges besides its lines
        surcharges = (*surcharges, Charge(title="", amount=Paisa(cart.subtotal - products)))
    return Breakdown(
        lines=lines,
        products=products,
        discounts=discounts,
        discount_included=Paisa(0) if discounts else cart.discount,
        delivery=delivery,
        surcharges=surcharges,
        total=cart.total,
        points_used=points.used,
        points_value=points.value,
        due=Paisa(cart.total - points.value),
        received=money.received,
        refunds=money.refunds,
        left_to_pay=money.left_to_pay,
        points_earned=points.earned,
    )


def _prices(cart: Cart, facts: OrderFacts) -> list[Paisa]:
    """What each line costs: before discounts where the host knows it of all, and that explains the subtotal."""
    before = [facts.prices.get(line.key) for line in cart.lines]
    known = [price for price in before if price is not None]
    has_discounts = bool(facts.discounts or cart.discount)
    if has_discounts and len(known) == len(before) and sum(known) >= cart.subtotal:
        return known
    return [line.total for line in cart.lines]


def _lines(cart: Cart, prices: Sequence[Paisa], refunded: "Counter[str]") -> tuple[ItemLine, ...]:
    shown = []
    for line, price in zip(cart.lines, prices, strict=True):
        part = min(refunded[line.key], line.quantity)
        refunded[line.key] -= part
        shown.append(
            ItemLine(
                key=line.key,
                title=line.title_now,
                options=line.options,
                quantity=line.quantity,
                amount=price,
                refunded=part,
            )
        )
    return tuple(shown)


def _discounts(named: Iterable[Charge], amount: int) -> tuple[Charge, ...]:
    """The discounts by name, so that they sum to ``amount``: a host rounds each of them by itself."""
    if amount <= 0:
        return ()
    known = [each for each in named if each.amount > 0]
    if not known:
        return (Charge(title="", amount=Paisa(amount)),)
    parts = shares(amount, [each.amount for each in known])
    return tuple(Charge(title=each.title, amount=Paisa(part)) for each, part in zip(known, parts, strict=True) if part)


def _surcharges(cart: Cart, named: Iterable[Charge]) -> tuple[Charge, ...]:
    """The surcharges, as far as they are a part of what the Cart calls shipping."""
    known = tuple(each for each in named if each.amount)
    return known if sum(each.amount for each in known) <= cart.shipping else ()
