"""What goes over the wire, and what comes back: requests and answers of KPG-2 as dataclasses."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Self

from loyalink_khalti.errors import KhaltiUnreadable
from loyalink_khalti.money import Paisa

LONGEST_ID = 64
LONGEST_NAME = 100  # Khalti documents no limit
LONGEST_URL = 2000
LARGEST_AMOUNT = 10**12  # paisa; no shop's payment is, and every database can store it

_ID = re.compile(rf"[!-~]{{1,{LONGEST_ID}}}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Status(Enum):
    """What Khalti says of a payment. ``UNKNOWN`` is whatever it does not document: nothing follows from it."""

    COMPLETED = "Completed"
    PENDING = "Pending"
    INITIATED = "Initiated"
    REFUNDED = "Refunded"
    PARTIALLY_REFUNDED = "Partially Refunded"
    EXPIRED = "Expired"
    CANCELED = "User canceled"
    FAILED = "Failed"
    UNKNOWN = "unknown"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read Khalti's word: ``Completed`` to the letter, the others without regard to case."""
        if text == cls.COMPLETED.value:
            return cls.COMPLETED
        return cls(_BY_WORD.get(text.lower(), cls.UNKNOWN.value))


# The documentation writes both "Partially Refunded" and "Partially refunded", both "User canceled" and "Canceled".
_BY_WORD = {
    status.value.lower(): status.value for status in Status if status not in {Status.COMPLETED, Status.UNKNOWN}
} | {"canceled": Status.CANCELED.value}

MONEY_MOVED = frozenset({Status.COMPLETED, Status.REFUNDED, Status.PARTIALLY_REFUNDED})


class _Unshown(dict[str, str]):
    """What goes to Khalti, and into no error page that prints the variables of every frame."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "{…}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiate:
    """Ask for a payment page; ``amount`` in paisa, the customer's particulars as they were typed."""

    return_url: str
    website_url: str
    amount: Paisa
    purchase_order_id: str
    purchase_order_name: str
    name: str = field(default="", repr=False)  # people do not belong in logs
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)

    def to_wire(self) -> dict[str, Any]:
        """Write the body of the request; no breakdown, which could only disagree with ``amount``."""
        wire: dict[str, Any] = {
            "return_url": self.return_url,
            "website_url": self.website_url,
            "amount": self.amount,
            "purchase_order_id": self.purchase_order_id,
            "purchase_order_name": _one_line(self.purchase_order_name) or self.purchase_order_id,
        }
        if customer := self._customer():
            wire["customer_info"] = _Unshown(customer)
        return wire

    def _customer(self) -> dict[str, str]:
        """Leave out what Khalti would refuse the whole payment for: blanks, and a phone or e-mail not in its form."""
        name = _one_line(self.name)
        if not name:  # Khalti insists on the name once there is a customer_info
            return {}
        email = self.email.strip()
        customer = {"name": name, "email": email if _EMAIL.fullmatch(email) else "", "phone": _phone(self.phone)}
        return {key: value for key, value in customer.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiated:
    """A payment page, not yet paid; ``expires_in`` in seconds. Where Khalti gave no usable time, None."""

    pidx: str
    payment_url: str
    expires_at: datetime | None
    expires_in: int | None

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        """Read initiate's answer; ``KhaltiUnreadable`` where it is not one."""
        payment_url = wire.get("payment_url")
        if not isinstance(payment_url, str) or not 0 < len(payment_url) <= LONGEST_URL:
            raise _unreadable("payment_url")
        return cls(
            pidx=_id(wire, "pidx"),
            payment_url=payment_url,
            expires_at=_moment(wire, "expires_at"),
            expires_in=_whole(wire, "expires_in"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What became of a payment, in Khalti's word; amounts in paisa. Whether it fits the purchase is not asked here."""

    pidx: str
    status: Status
    status_text: str
    total_amount: Paisa | None
    transaction_id: str | None
    fee: Paisa | None
    refunded: bool

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        """Read lookup's answer; ``KhaltiUnreadable`` where it is not one, or tells of money without the amount."""
        text = wire.get("status")
        if not isinstance(text, str):
            raise _unreadable("status")
        status = Status.read(text)
        total_amount = _whole(wire, "total_amount")
        if total_amount is None and status in MONEY_MOVED:
            raise _unreadable("total_amount")
        return cls(
            pidx=_id(wire, "pidx"),
            status=status,
            status_text=_one_line(text)[:LONGEST_ID],
            total_amount=None if total_amount is None else Paisa(total_amount),
            transaction_id=_id(wire, "transaction_id") if wire.get("transaction_id") not in (None, "") else None,
            fee=_fee(wire.get("fee")),
            refunded=_refunded(wire, status),
        )


def refund_to_wire(*, amount: Paisa | None, mobile: str | None) -> dict[str, Any]:
    """Write a refund: of the whole unless an ``amount`` in paisa is given; ``mobile`` where it was paid by bank."""
    # The documentation says paisa and prints 50.00; paisa it is, and whole.
    return {key: value for key, value in {"mobile": mobile, "amount": amount}.items() if value is not None}


def is_id(text: object) -> bool:
    """Whether ``text`` can be one of Khalti's ids: opaque, but short and printable."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def _id(wire: Mapping[str, Any], name: str) -> str:
    text = wire.get(name)
    if not isinstance(text, str) or not is_id(text):
        raise _unreadable(name)
    return text


def _whole(wire: Mapping[str, Any], name: str) -> int | None:
    """Read a whole number: no float, no text, no bool, nothing below zero. Absent is None."""
    number = wire.get(name)
    if number is None:
        return None
    if type(number) is not int or not 0 <= number <= LARGEST_AMOUNT:
        raise _unreadable(name)
    return number


def _fee(fee: object) -> Paisa | None:
    # Nothing is decided by the fee: one in fractions of a paisa must not keep a payment from being settled.
    return Paisa(fee) if type(fee) is int and 0 <= fee <= LARGEST_AMOUNT else None


def _refunded(wire: Mapping[str, Any], status: Status) -> bool:
    refunded = wire.get("refunded")
    if refunded is None:
        return status in {Status.REFUNDED, Status.PARTIALLY_REFUNDED}
    if not isinstance(refunded, bool):
        raise _unreadable("refunded")
    return refunded


def _moment(wire: Mapping[str, Any], name: str) -> datetime | None:
    text = wire.get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        raise _unreadable(name)
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _phone(typed: str) -> str:
    """Ten digits that begin with 9, as Khalti has them, or nothing."""
    digits = re.sub(r"[\s()-]", "", typed).removeprefix("+977")
    return digits if re.fullmatch(r"9[0-9]{9}", digits) else ""


def _one_line(text: str) -> str:
    """Bound a text and take out line breaks, control characters and halves of surrogate pairs."""
    line = "".join(c for c in " ".join(text.split()) if unicodedata.category(c) not in {"Cc", "Cs"})
    return line[:LONGEST_NAME].strip()


def _unreadable(name: str) -> KhaltiUnreadable:
    return KhaltiUnreadable(f"an answer without a usable {name}")
