"""The course of an order: what has happened, by date, and what comes next. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Purchase

from .breakdown import Breakdown
from .facts import OrderFacts
from .states import AWAITED, ReceiptState


class EventKind(StrEnum):
    """What happens to an order."""

    PLACED = "placed"
    PAID = "paid"
    RECEIVED = "received"
    """A part of the money."""
    SHIPPED = "shipped"
    """Or ready to be collected."""
    DELIVERED = "delivered"
    """Or collected."""
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A step of an order; ``day`` is in Nepal, None for a step that comes next. ``amount`` in paisa."""

    kind: EventKind
    day: date | None = None
    at: datetime | None = None
    amount: Paisa | None = None

    @property
    def is_done(self) -> bool:
        return self.day is not None


def timeline(
    purchase: Purchase,
    state: ReceiptState,
    figures: Breakdown,
    facts: OrderFacts,
    *,
    cancelled_at: datetime | None = None,
) -> tuple[Event, ...]:
    """Return the events of a placed order, oldest first, then the steps that come next; () for any other.

    ``cancelled_at`` is when it was cancelled before it was paid.
    """
    if purchase.placed_at is None:
        return ()
    done = [*_done(purchase, figures, facts)]
    if state is ReceiptState.CANCELLED and cancelled_at is not None:
        done.append(_event(EventKind.CANCELLED, cancelled_at))
    return (*sorted(done, key=_by_day), *_next(state, facts))


def _by_day(event: Event) -> tuple[date, int]:
    """On one day the kinds have an order: of money that staff have recorded the time of day is not known."""
    return event.day or date.max, list(EventKind).index(event.kind)


def _done(purchase: Purchase, figures: Breakdown, facts: OrderFacts) -> Iterator[Event]:
    yield _event(EventKind.PLACED, purchase.placed_at)
    yield from _paid(figures)
    yield from (
        Event(kind=EventKind.REFUNDED, day=day_of(each.at), at=each.at, amount=each.amount)
        for each in figures.refunds
        if not each.is_pending and each.amount
    )
    if facts.shipped_at is not None:
        yield _event(EventKind.SHIPPED, facts.shipped_at)
    if facts.delivered_at is not None:
        yield _event(EventKind.DELIVERED, facts.delivered_at)


def _paid(figures: Breakdown) -> Iterator[Event]:
    """The money that came, each time; what completes it is "paid"."""
    so_far = 0
    for each in figures.received:
        before, so_far = so_far, so_far + each.amount
        is_all = before < figures.due <= so_far or (len(figures.received) == 1 and so_far >= figures.due)
        kind = EventKind.PAID if is_all else EventKind.RECEIVED
        yield Event(kind=kind, day=each.day, at=each.at, amount=each.amount)


def _event(kind: EventKind, at: datetime | None) -> Event:
    return Event(kind=kind, day=day_of(at) if at is not None else None, at=at)


def _next(state: ReceiptState, facts: OrderFacts) -> Iterator[Event]:
    if state in AWAITED:
        yield Event(kind=EventKind.PAID)
    if state in AWAITED or state in {ReceiptState.PAID, ReceiptState.PARTLY_REFUNDED}:
        if facts.tracks_shipping and facts.shipped_at is None and facts.delivered_at is None:
            yield Event(kind=EventKind.SHIPPED)
        if facts.tracks_delivery and facts.delivered_at is None:
            yield Event(kind=EventKind.DELIVERED)
