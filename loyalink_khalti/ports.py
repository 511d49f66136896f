"""What a shop gives to the flow (a Cart) and what it must be able to do (a Shop).

Amounts are paisa. A shop proves itself with the contract tests in ``loyalink_khalti.testing``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from .money import Paisa, Points


class Outcome(StrEnum):
    """Where a purchase stands, as its shopper sees it."""

    PAID = "paid"
    CONFIRMING = "confirming"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    FLAGGED = "flagged"


class Why(StrEnum):
    """Why a payment was released. Only ``EXPIRED`` and ``CANCELLED`` are Khalti's own word that nobody has paid."""

    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    ABANDONED = "abandoned"
    REFUNDED = "refunded"


class Private(str):
    """A text about a person, a mobile say: error pages, which print the variables of every frame, show it as dots."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


class Method(StrEnum):
    """How a purchase is paid."""

    KHALTI = "khalti"
    COD = "cod"
    BANK_TRANSFER = "bank_transfer"
    POINTS = "points"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a Cart; ``unit`` and ``total`` in paisa, after offers and coupons."""

    sku: str
    title: str
    quantity: int
    unit: Paisa
    total: Paisa
    tags: tuple[str, ...] = ()
    earns: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who pays, as typed at the checkout."""

    name: str = field(default="", repr=False)  # error pages print the variables of every frame
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """What the shopper is about to pay for, frozen by the host in ``begin``'s own transaction."""

    shop: str
    ref: str
    """The host's name for this purchase, unique within the shop (an order number, say)."""
    origin: str
    """The basket it came from: two purchases of one origin are the same goods, twice."""
    site_key: str
    language: str
    name: str
    """What Khalti's page shows as bought (``purchase_order_name``)."""
    lines: tuple[Line, ...]
    shipping: Paisa
    discount: Paisa
    """What offers and coupons took off, for the record; ``lines`` and ``total`` are after it."""
    total: Paisa
    """Goods and shipping after offers and coupons, before points."""
    customer: Customer
    member_id: str | None
    """The user's pk; None for a guest."""
    spends: Points
    """Points to hold."""
    currency: str = "NPR"

    @property
    def goods(self) -> Paisa:
        """Goods after offers and coupons, without shipping."""
        return Paisa(self.total - self.shipping)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Cart":
        lines = tuple(Line(**{**line, "tags": tuple(line["tags"])}) for line in stored["lines"])
        return cls(**{**stored, "lines": lines, "customer": Customer(**stored["customer"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What has come in for a purchase; ``amount`` in paisa, 0 while cash is still to come."""

    method: Method
    amount: Paisa
    transaction_id: str = ""
    at: datetime
    points: Points = field(default=Points(0))
    """Points spent on it."""
    worth: Paisa = field(default=Paisa(0))
    """What those points are worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOrder:
    """A placed order as its shop tells it; money in paisa, ``total`` after points."""

    ref: str
    number: str
    member_id: str | None
    total: Paisa
    paid: Paisa
    refunded: Paisa
    status: str
    placed: bool


class Shop(Protocol):
    """A host, as the flow sees it. Each verb may be called again with the same words and must not mind.

    ``confirm`` and ``release`` run inside the flow's transaction, in a savepoint: mails, signals and anything else
    that cannot be rolled back goes through the outbox.
    """

    local: ClassVar[bool]
    """Whether the verbs touch this database only."""

    def confirm(self, ref: str, *, paid: Paid) -> str:
        """Make the held purchase a placed order and return its number.

        Called again with an amount for an order that was placed unpaid (cash on delivery, a bank transfer), write
        down that the money has come. A purchase released before takes its stock again under lock, or raises
        ``ShopCannot("sold_out")``.
        """

    def release(self, ref: str, *, why: Why, present: bool) -> None:
        """Give the basket back and let go of what was held. ``present``: the shopper is there, now."""

    def reverse(
        self, ref: str, *, goods: Paisa, shipping: Paisa, lines: tuple[tuple[str, int], ...], key: str
    ) -> None:
        """Write down a refund of goods and shipping, in paisa; ``lines`` are (sku, quantity) that come back."""

    def page_for(self, ref: str, outcome: Outcome, token: str) -> str:
        """Where the shopper goes next: a path of the host's own, or "" for the flow's status page."""

    def look(self, ref: str) -> HostOrder:
        """The order as it stands."""

    def orders(self) -> Iterator[HostOrder]:
        """Every placed order, streamed, for the audit."""

    def page_for_staff(self, ref: str) -> str:
        """Where staff see an order, as a path of the host's own back office, or all of them (``ref`` ""); or ""."""

    def tags(self) -> Mapping[str, str]:
        """What goods are sorted by: each ``tag`` of a Line (a category, say) and the name that people know it by."""
