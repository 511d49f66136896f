"""Requests and answers of Khalti's KPG-2 protocol as dataclasses.

https://docs.khalti.com/khalti-epayment/ and https://docs.khalti.com/api/refund/
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Self

from loyalink_khalti.errors import KhaltiUnreadable
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import nepali_mobile, shorten

MAX_ID = 64  # characters; every id seen so far has 22
MAX_NAME = 100  # characters; Khalti documents no limit
MAX_URL = 2000
MAX_AMOUNT = 10**12  # paisa; larger than any payment, and every database can store it

_ID = re.compile(rf"[!-~]{{1,{MAX_ID}}}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Status(Enum):
    """The status of a payment at Khalti. ``UNKNOWN`` stands for every undocumented one; conclude nothing from it.

    https://docs.khalti.com/khalti-epayment/#lookup-payload-details
    """

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
    def parse(cls, text: str) -> Self:
        """Return the status of ``text``. ``Completed`` must match exactly; case does not matter for the others."""
        if text == cls.COMPLETED.value:
            return cls.COMPLETED
        return cls(_BY_TEXT.get(text.lower(), cls.UNKNOWN.value))


# Khalti's documentation has both "Partially Refunded" and "Partially refunded", both "User canceled" and "Canceled".
_BY_TEXT = {
    status.value.lower(): status.value for status in Status if status not in {Status.COMPLETED, Status.UNKNOWN}
} | {"canceled": Status.CANCELED.value}

MONEY_MOVED = frozenset({Status.COMPLETED, Status.REFUNDED, Status.PARTIALLY_REFUNDED})


class _Masked(dict[str, str]):
    """Personal data that is masked on error pages, which print the variables of every frame."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "{…}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiate:
    """A request to open a payment; ``amount`` in paisa, the customer's details as typed.

    https://docs.khalti.com/khalti-epayment/#json-payload-details
    """

    return_url: str
    website_url: str
    amount: Paisa
    purchase_order_id: str
    purchase_order_name: str
    name: str = field(default="", repr=False)  # personal data stays out of logs
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)

    def to_wire(self) -> dict[str, Any]:
        """Return the body of the request, without ``amount_breakdown``, which must add up to ``amount``."""
        wire: dict[str, Any] = {
            "return_url": self.return_url,
            "website_url": self.website_url,
            "amount": self.amount,
            "purchase_order_id": self.purchase_order_id,
            "purchase_order_name": _one_line(self.purchase_order_name) or self.purchase_order_id,
        }
        if customer := self._customer():
            wire["customer_info"] = _Masked(customer)
        return wire

    def _customer(self) -> dict[str, str]:
        """Return the details that Khalti accepts. It refuses a payment with a blank or invalid one."""
        name = _one_line(self.name)
        if not name:  # Khalti requires the name inside customer_info
            return {}
        email = self.email.strip()
        customer = {
            "name": name,
            "email": email if _EMAIL.fullmatch(email) else "",
            "phone": nepali_mobile(self.phone),
        }
        return {key: value for key, value in customer.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiated:
    """An opened payment; ``expires_in`` in seconds. Both times are None when Khalti's answer has no usable one."""

    pidx: str
    payment_url: str
    expires_at: datetime | None
    expires_in: int | None

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        """Return the parsed answer of initiate. Raises ``KhaltiUnreadable`` when it is not one."""
        payment_url = wire.get("payment_url")
        if not isinstance(payment_url, str) or not 0 < len(payment_url) <= MAX_URL:
            raise _unreadable("payment_url")
        return cls(
            pidx=_id(wire, "pidx"),
            payment_url=payment_url,
            expires_at=_datetime(wire, "expires_at"),
            expires_in=_integer(wire, "expires_in"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Khalti's answer about a payment; amounts in paisa. The caller compares it with the purchase.

    https://docs.khalti.com/khalti-epayment/#lookup-payload-details
    """

    pidx: str
    status: Status
    status_text: str
    total_amount: Paisa | None
    transaction_id: str | None
    fee: Paisa | None
    refunded: bool

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        """Return the parsed answer of lookup.

        Raises ``KhaltiUnreadable`` when it is not one, or when money has moved and the amount is missing.
        """
        text = wire.get("status")
        if not isinstance(text, str):
            raise _unreadable("status")
        status = Status.parse(text)
        total_amount = _integer(wire, "total_amount")
        if total_amount is None and status in MONEY_MOVED:
            raise _unreadable("total_amount")
        return cls(
            pidx=_id(wire, "pidx"),
            status=status,
            status_text=_one_line(text)[:MAX_ID],
            total_amount=None if total_amount is None else Paisa(total_amount),
            transaction_id=_id(wire, "transaction_id") if wire.get("transaction_id") not in (None, "") else None,
            fee=_fee(wire.get("fee")),
            refunded=_refunded(wire, status),
        )


def refund_to_wire(*, amount: Paisa | None, mobile: str | None) -> dict[str, Any]:
    """Return the body of a refund: of everything without ``amount`` (paisa); a bank payment needs ``mobile``."""
    # https://docs.khalti.com/api/refund/ says paisa and shows 50.00. This sends whole paisa.
    return {key: value for key, value in {"mobile": mobile, "amount": amount}.items() if value is not None}


def is_id(text: object) -> bool:
    """Whether ``text`` can be an id of Khalti's: an opaque, short, printable string."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def _id(wire: Mapping[str, Any], name: str) -> str:
    text = wire.get(name)
    if not isinstance(text, str) or not is_id(text):
        raise _unreadable(name)
    return text


def _integer(wire: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number of at least 0; None when it is absent. Floats, strings and booleans are refused."""
    number = wire.get(name)
    if number is None:
        return None
    if type(number) is not int or not 0 <= number <= MAX_AMOUNT:
        raise _unreadable(name)
    return number


def _fee(fee: object) -> Paisa | None:
    # The fee decides nothing, so a fee in fractions of a paisa must not make the answer unreadable.
    return Paisa(fee) if type(fee) is int and 0 <= fee <= MAX_AMOUNT else None


def _refunded(wire: Mapping[str, Any], status: Status) -> bool:
    refunded = wire.get("refunded")
    if refunded is None:
        return status in {Status.REFUNDED, Status.PARTIALLY_REFUNDED}
    if not isinstance(refunded, bool):
        raise _unreadable("refunded")
    return refunded


def _datetime(wire: Mapping[str, Any], name: str) -> datetime | None:
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


def _one_line(text: str) -> str:
    """Return at most ``MAX_NAME`` characters on one line, without control characters and lone surrogates.

    What people read as one character is not cut in two.
    """
    line = " ".join(text.split())
    if not line.isprintable():  # every control character and surrogate is unprintable, and few others are
        line = "".join(c for c in line if unicodedata.category(c) not in {"Cc", "Cs"})
    return shorten(line, MAX_NAME).strip()


def _unreadable(name: str) -> KhaltiUnreadable:
    return KhaltiUnreadable(f"an answer without a usable {name}")
