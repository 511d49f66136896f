"""A payment as Khalti keeps it: its states, its row, its ids and its clock."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from loyalink_khalti.errors import LoyalinkError

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""shortuuid's base 57: every pidx and transaction id that was ever seen is 22 of these."""

KATHMANDU = timezone(timedelta(hours=5, minutes=45))
BANK_MODES = frozenset({"EBANKING", "MOBILE_BANKING"})


class NotPossible(LoyalinkError):
    """The payment's state does not allow it; ``str()`` says why."""


class State(StrEnum):
    """What lookup says, word for word."""

    INITIATED = "Initiated"
    PENDING = "Pending"
    COMPLETED = "Completed"
    FAILED = "Failed"
    EXPIRED = "Expired"
    CANCELED = "User canceled"
    PART_REFUNDED = "Partially Refunded"
    REFUNDED = "Refunded"


class Plan(StrEnum):
    """How the payer's browser is sent back to the shop."""

    NORMAL = "normal"
    DROP = "drop"
    DOUBLE = "double"
    SERVER = "server"
    FORGED = "forged"
    BARE = "bare"


PAID = (State.COMPLETED, State.PART_REFUNDED, State.REFUNDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One pidx; amounts in paisa, times in Nepal's."""

    pidx: str
    owner: str  # a hash of the key that opened it: the books keep no key
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
    plan: Plan | None
    wrong_tries: int
    transaction_id: str | None
    mobile: str
    fee: int
    refunded: int
    paid_at: datetime | None

    @property
    def left(self) -> int:
        """What may still be refunded, in paisa."""
        return self.amount - self.refunded if self.state in PAID else 0

    @property
    def shop(self) -> str:
        """The name that the payer reads: the shop's host."""
        return urlsplit(self.website_url).netloc.rpartition("@")[2] or self.website_url

    def as_json(self) -> dict[str, Any]:
        """The row for machines that drive the panel."""
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
    """Read a row of the books."""
    changed = {
        "bank": bool(row["bank"]),
        "merchant": json.loads(row["merchant"]),
        "state": State(row["state"]),
        "plan": Plan(row["plan"]) if row["plan"] else None,
        "created_at": from_micros(row["created_at"]),
        "expires_at": from_micros(row["expires_at"]),
        "paid_at": None if row["paid_at"] is None else from_micros(row["paid_at"]),
    }
    return Payment(**{**row, **changed})


def new_id() -> str:
    """A fresh pidx, transaction id or token."""
    return "".join(secrets.choice(ALPHABET) for _ in range(22))


def micros(moment: datetime) -> int:
    """Microseconds since 1970, as the books keep time."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_micros(number: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number)).astimezone(KATHMANDU)


def stamp(moment: datetime) -> str:
    """Write a time as Khalti does: ``2023-05-25T16:26:16.471649+05:45``."""
    return moment.astimezone(KATHMANDU).isoformat(timespec="microseconds")
