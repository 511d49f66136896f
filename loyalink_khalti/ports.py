"""The interface between the flow and a host: the Cart that a host hands over and the Shop that it implements.

Amounts are in paisa. The tests in ``contract/`` prove a Shop; import them from ``loyalink_khalti.testing``.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from django.core.checks import CheckMessage
from django.utils.translation import get_language

from .money import Paisa, Points


class Outcome(StrEnum):
    """The result of a purchase, as its customer sees it."""

    PAID = "paid"
    CONFIRMING = "confirming"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    FLAGGED = "flagged"


class ReleaseReason(StrEnum):
    """Why a payment was released. Only ``EXPIRED`` and ``CANCELLED`` mean that Khalti says it is not paid."""

    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    CANCELLED_IN_SHOP = "cancelled_in_shop"
    REFUNDED = "refunded"


class PrivateText(str):
    """Personal data, such as a mobile number, masked on error pages, which print the variables of every frame."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


class PaymentMethod(StrEnum):
    """How a purchase is paid."""

    KHALTI = "khalti"
    COD = "cod"
    BANK_TRANSFER = "bank_transfer"
    POINTS = "points"


PAID_LATER = frozenset({PaymentMethod.COD, PaymentMethod.BANK_TRANSFER})
"""The order is placed first, and staff mark the money as received later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a Cart; ``unit`` and ``total`` in paisa, after offers and coupons. ``tags`` are categories.

    ``sku`` and ``title`` are for people: two lines can have the same (one product engraved twice, or of two partners).
    """

    sku: str
    title: str
    quantity: int
    unit: Paisa
    total: Paisa
    tags: tuple[str, ...] = ()
    earns: bool = True
    id: str = ""
    """The host's own identity of the line, for example its primary key; unique within the Cart. "" in old Carts."""
    options: str = field(default="", repr=False)
    """What the customer chose or typed for the product: "Engraving: Sita". Personal data, so it can be erased."""
    titles: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The title in other languages of the shop, by their codes, where the host has it and it differs."""
    stock: int | None = field(default=None, compare=False)
    """How many can be sold now, this purchase's included; None where stock is not tracked. It is not stored."""

    @property
    def title_now(self) -> str:
        """The title in the reader's language, where the host had one at the purchase."""
        code = get_language() or ""
        return self.titles.get(code) or self.titles.get(code.partition("-")[0]) or self.title

    @property
    def name(self) -> str:
        """That title with its options, by which people tell two lines of one product apart."""
        return f"{self.title_now} ({self.options})" if self.options else self.title_now

    @property
    def key(self) -> str:
        """What names the line in refunds: its ``id``, or the SKU in a Cart that was frozen before lines had one."""
        return self.id or self.sku


LINE_DETAILS = ("id", "options", "titles")
"""Fields of a Line that are stored apart from the Cart: a new field of Line, Customer or Cart is one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """The customer's details as typed at the checkout."""

    name: str = field(default="", repr=False)  # error pages print the variables of every frame
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """The contents of a purchase, frozen by the host inside the transaction of ``begin_payment``."""

    shop: str
    ref: str
    """The host's reference for this purchase, unique within the shop (for example an order number)."""
    origin: str
    """The basket that it came from. Two purchases of one origin contain the same products."""
    site_key: str
    language: str
    name: str
    """The ``purchase_order_name`` that Khalti's page shows, of which it gets 100 characters."""
    lines: tuple[Line, ...]
    shipping: Paisa
    discount: Paisa
    """The discount of offers and coupons, for the record. ``lines`` and ``total`` already include it."""
    total: Paisa
    """Subtotal and shipping after offers and coupons, before points."""
    customer: Customer
    member_id: str | None
    """The user's pk; None for a guest."""
    points_redeemed: Points
    """Points to hold."""
    currency: str = "NPR"

    @property
    def subtotal(self) -> Paisa:
        """Return the value of the products after offers and coupons, without shipping, in paisa."""
        return Paisa(self.total - self.shipping)

    def to_json(self) -> dict[str, Any]:
        """Return the Cart as JSON data, to be stored."""
        lines = [_values(line, without="stock") for line in self.lines]
        return _values(self) | {"lines": lines, "customer": _values(self.customer)}

    def to_stored(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the Cart as JSON data that ``schema-baseline`` reads, and apart from it what each line has besides.

        That version refuses a Cart with a key that it does not know, and it may still run beside this one, or again.
        """
        stored = self.to_json()
        details = [{name: line.pop(name) for name in LINE_DETAILS} for line in stored["lines"]]
        return stored, details

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], details: Iterable[Mapping[str, Any]] | None = None) -> "Cart":
        """Return the Cart of ``to_json`` or, with ``details``, ``to_stored``, without what other versions know."""
        rows = stored["lines"]
        rows = rows if details is None else [{**row, **more} for row, more in zip(rows, details, strict=True)]
        lines = tuple(Line(**known_fields(Line, row) | {"tags": tuple(row["tags"])}) for row in rows)
        customer = Customer(**known_fields(Customer, stored["customer"]))
        return cls(**known_fields(cls, stored) | {"lines": lines, "customer": customer})


def _values(row: Any, without: str = "") -> dict[str, Any]:  # ``asdict`` would copy each of them deeply
    return {each.name: getattr(row, each.name) for each in fields(row) if each.name != without}


def known_fields(kind: type, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of the fields of a dataclass, without what only another version knows."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What has been paid for a purchase; ``amount`` in paisa, 0 when the payment arrives later (cash, transfer)."""

    method: PaymentMethod
    amount: Paisa
    transaction_id: str = ""
    at: datetime
    points: Points = field(default=Points(0))
    """The points that were redeemed."""
    points_value: Paisa = field(default=Paisa(0))
    """Their value in paisa."""
    is_test: bool = False
    """Whether it was paid in Khalti's test environment: no money has arrived, and staff should see that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOrder:
    """An order as its host has it; money in paisa, ``total`` after points."""

    ref: str
    number: str
    member_id: str | None
    total: Paisa
    paid: Paisa
    refunded: Paisa
    status: str
    placed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a basket costs now, in paisa, after offers and coupons and before points."""

    lines: tuple[Line, ...]
    subtotal: Paisa
    """The value of the products."""
    shipping: Paisa
    """Delivery, and the shop's own surcharges (a fee, for example)."""
    discount: Paisa = Paisa(0)
    """The discount of offers and coupons, for the record: the other figures already include it."""

    @property
    def total(self) -> Paisa:
        return Paisa(self.subtotal + self.shipping)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodOption:
    """A payment method as a checkout shows it."""

    method: str
    """A ``PaymentMethod``, or the code of one of the shop's own."""
    title: str
    text: str
    unavailable_reason: str = ""
    """Why the customer cannot choose it, "" if they can."""
    test_mode: bool = False
    takes_points: bool = True
    """Whether its orders use and earn points: those of a shop's own methods do not come through the flow."""


class OpenBasket(Protocol):
    """What a customer is about to buy, as the shop prices it now. Nothing is locked and nothing is written."""

    site_key: str
    member_id: str | None
    """The user's pk; None for a guest."""
    origin: str
    """The basket's identity: ``Cart.origin`` of the purchase that it becomes."""

    def costs(self) -> Costs:
        """Return what it costs. Raises ``CannotPay`` where that cannot be said, with a sentence for the customer."""

    def methods(self, *, khalti_unavailable_reason: str) -> Sequence[MethodOption]:
        """Return the payment methods that the shop offers for it; the reason is the one of a ``flow.Quote``."""

    def freeze(self, *, method: PaymentMethod, points: Points, expected_due: Paisa | None) -> Callable[[], Cart]:
        """Return what ``flow.begin_payment`` or ``flow.place_order`` is called with.

        ``expected_due``, in paisa, is what the customer has agreed to pay; another amount raises ``TotalChanged``.
        The call raises ``BasketTaken``, ``SoldOut``, ``InvalidDetails`` or ``CannotPay``.
        """


class Shop(Protocol):
    """A host, as the flow uses it. Every method is idempotent: a second call with the same arguments changes nothing.

    ``confirm`` and ``release`` run inside the flow's transaction, in a savepoint. Mails, signals and other effects
    that cannot be rolled back go through the outbox.
    """

    local: ClassVar[bool]
    """Whether the methods change this database only."""

    def confirm(self, ref: str, *, paid: Paid) -> str:
        """Place the order of a purchase and return its number.

        A later call with an amount records the payment of an order that was placed unpaid (cash on delivery, bank
        transfer). A purchase that was released takes its stock again under lock, and so does an order that was
        cancelled before it was paid, in a call with an amount. Raises ``ShopCannot("sold_out")`` when that is
        impossible, and ``ShopCannot("order_missing")`` for an order that was deleted.
        """

    def record_received(self, ref: str, *, received: Paisa) -> None:
        """Record what was received so far, in paisa, for an order that was placed unpaid; less after a correction.

        The order is paid when that is its total, and unpaid again when it no longer is. Raises
        ``ShopCannot("order_missing")`` for an order that was deleted.
        """

    def release(self, ref: str, *, release_reason: ReleaseReason, customer_present: bool) -> None:
        """Release the stock and return the basket to the customer, who is at the shop now if ``customer_present``.

        Of an order that was deleted, release what it has left behind: its stock and its basket.
        """

    def refund(
        self, ref: str, *, subtotal: Paisa, shipping: Paisa, lines: tuple[tuple[str, int], ...], key: str
    ) -> None:
        """Record a refund of products and shipping, in paisa, and restock ``lines``: (``Line.key``, quantity).

        Staff choose for each line whether it goes back into stock: a line that is not named stays as it is.

        Of an order that was deleted there is nothing to record: the money goes back all the same.
        """

    def reverse_refund(self, ref: str, *, key: str) -> None:
        """Take back the record of the refund ``key``, which was not made; the stock stays as it is.

        Of an order that was deleted there is none.
        """

    def customer_page(self, ref: str, outcome: Outcome, token: str) -> str:
        """Return the path of the host's page for this outcome, or "" for the flow's status page."""

    def get_order(self, ref: str) -> HostOrder:
        """Return the order. Raises ``LookupError`` for an unknown ``ref``."""

    def placed_orders(self) -> Iterator[HostOrder]:
        """Yield every placed order, for the audit."""

    def still_reserved(self, refs: Collection[str]) -> Iterable[str]:
        """Return those of the unpaid placed orders ``refs`` that only reserve stock: neither shipped nor cancelled."""

    def missing_orders(self, refs: Collection[str]) -> Iterable[str]:
        """Return those of ``refs`` whose order does not exist any more, whatever its status was."""

    def staff_page(self, ref: str) -> str:
        """Return the path of an order in the host's back office, of all orders for ``ref`` "", or "" without one."""

    def categories(self) -> Mapping[str, str]:
        """Return the host's categories: each tag that a Line may have, and its name with those of its ancestors.

        A tag is the shop's name, a colon, and what no editor and no script changes: ``oscar:12``, a primary key.
        """

    def staff_url_prefixes(self) -> tuple[str, ...]:
        """Return the paths below which the host's back office is ("/shop/dashboard/"); () without one."""

    def check(self) -> Iterable[CheckMessage]:
        """Yield Django check messages about how the host is installed and configured, each with an id and a hint.

        A host may have ``check_database`` too, about its rows, and ``mails_orders = True`` if it mails placed orders.
        With ``assign_order(ref, *, member_id)`` it gives a guest's placed order to the account that they have made, in
        the flow's transaction; an order of somebody else stays theirs.
        Where baskets are in this database it may have ``is_basket_changed(ref)``: whether the basket of a released
        order has other products by now. Paid after its customer has cancelled it, that order is then not placed.
        """
