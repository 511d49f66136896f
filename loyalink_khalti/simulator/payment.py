"""A payment in the simulator: its states, its row, its ids and its times."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.nepal import KATHMANDU

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""shortuuid's base 57. Every pidx and transaction id seen so far has 22 of these characters."""

BANK_MODES = frozenset({"EBANKING", "MOBILE_BANKING"})


class NotPossible(LoyalinkError):
    """The payment's state does not allow this; ``str()`` gives the reason."""


class State(StrEnum):
    """The statuses of lookup, verbatim: https://docs.khalti.com/khalti-epayment/#payment-status-code."""

    INITIATED = "Initiated"
    PENDING = "Pending"
    COMPLETED = "Completed"
    FAILED = "Failed"
    EXPIRED = "Expired"
    CANCELED = "User canceled"
    PARTIALLY_REFUNDED = "Partially Refunded"
    REFUNDED = "Refunded"


class CallbackPlan(StrEnum):
    """How the simulator sends the customer's browser back to the shop."""

    NORMAL = "normal"
    DROP = "drop"
    DOUBLE = "double"
    SERVER = "server"
    FORGED = "forged"
    BARE = "bare"


PAID = (State.COMPLETED, State.PARTIALLY_REFUNDED, State.REFUNDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment; amounts in paisa, times in Nepal time."""

    pidx: str
    owner: str  # a hash of the secret key that opened it; the database holds no key
    return_url: str
    website_url: str
    amount: int
    purchase_order_id: str
    purchase_order_name: str
    bank: bool
    merchant: dict[str, str]
    created_at: datetime
    expires_at: datetime
    state: State
    plan: CallbackPlan | None
    wrong_tries: int
    transaction_id: str | None
    mobile: str
    fee: int
    refunded: int
    paid_at: datetime | None

    @property
    def refundable(self) -> int:
        """Return the amount that can still be refunded, in paisa."""
        return self.amount - self.refunded if self.state in PAID else 0

    @property
    def shop(self) -> str:
        """Return the name that the customer reads: the shop's host name."""
        return urlsplit(self.website_url).netloc.rpartition("@")[2] or self.website_url

    def as_json(self) -> dict[str, Any]:
        """Return the payment as the panel's JSON API shows it."""
        return {
            "pidx": self.pidx,
            "purchase_order_id": self.purchase_order_id,
            "purchase_order_name": self.purchase_order_name,
            "amount": self.amount,
            "status": self.state.value,
            "transaction_id": self.transaction_id,
            "fee": self.fee,
            "refunded": self.refunded,
            "bank": self.bank,
            "callback": self.plan.value if self.plan else None,
            "return_url": self.return_url,
            "created_at": stamp(self.created_at),
            "expires_at": stamp(self.expires_at),
        }


def payment_from(row: dict[str, Any]) -> Payment:
    """Return the payment of a database row."""
    changed = {
        "bank": bool(row["bank"]),
        "merchant": json.loads(row["merchant"]),
        "state": State(row["state"]),
        "plan": CallbackPlan(row["plan"]) if row["plan"] else None,
        "created_at": from_micros(row["created_at"]),
        "expires_at": from_micros(row["expires_at"]),
        "paid_at": None if row["paid_at"] is None else from_micros(row["paid_at"]),
    }
    return Payment(**{**row, **changed})


def new_id() -> str:
    """Return a new pidx, transaction id or token."""
    return "".join(secrets.choice(ALPHABET) for _ in range(22))


def micros(moment: datetime) -> int:
    """Return microseconds since 1970, as the database stores times."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_micros(number: int) -> datetime:
    """Return the time of ``micros`` in Nepal time."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number)).astimezone(KATHMANDU)


def stamp(moment: datetime) -> str:
    """Return a time in Khalti's format: ``2023-05-25T16:26:16.471649+05:45``."""
    return moment.astimezone(KATHMANDU).isoformat(timespec="microseconds")
