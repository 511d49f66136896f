"""Khalti's desk: the books, the switches and the armed faults, and the verbs that everything else calls."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from .books import Books
from .callback import return_urls
from .faults import Faults
from .payment import Payment, Plan, State
from .validation import Order, Refused

REMEMBERED = 10_000
"""Calls that are remembered, the oldest forgotten first."""


class Call(NamedTuple):
    """One call that the API received; ``subject`` is a purchase_order_id, a pidx or a transaction id."""

    endpoint: str
    subject: str


@dataclass(slots=True, kw_only=True)
class Switches:
    """What is not documented, or differs from merchant to merchant: each may be switched while running."""

    link_lifetime: int = 1800  # seconds
    fee_percent: Decimal = Decimal(3)
    old_payment_urls: bool = False
    merchant_limit: int | None = None  # rupees
    fee_not_found: bool = False
    unknown_pidx_code: int = 404
    callback: Plan = Plan.NORMAL

    def turn(self, name: str, value: Any) -> None:
        """Set one by name from JSON or a form; raises ``ValueError``."""
        readers: dict[str, Callable[[Any], Any]] = {
            "link_lifetime": lambda given: _within(int(given), 1, 10**7),
            "fee_percent": lambda given: _within(_decimal(given), Decimal(0), Decimal(100)),
            "old_payment_urls": _yes,
            "merchant_limit": lambda given: None if given in ("", None) else _within(int(given), 1, 10**9),
            "fee_not_found": _yes,
            "unknown_pidx_code": lambda given: _within(int(given), 400, 404),
            "callback": Plan,
        }
        if name not in readers:
            raise ValueError(f"no such switch: {name!r}; there are {', '.join(readers)}")
        try:
            setattr(self, name, readers[name](value))
        except (TypeError, ValueError) as exc:
            raise ValueError(f"{name}: {exc}") from None


class Desk:
    """Every verb may be called from any thread; ``clock`` answers with an aware datetime."""

    def __init__(
        self, db: Path, *, keys: Iterable[str] = (), switches: Switches, clock: Callable[[], datetime]
    ) -> None:
        self.books = Books(db, clock)
        self.switches = switches
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=REMEMBERED)
        self.closing = threading.Event()
        self._heard = threading.Condition()
        self.clock = clock
        self._owners = frozenset(map(owner_of, keys))

    def close(self) -> None:
        self.closing.set()
        self.books.close()

    def hear(self, call: Call) -> None:
        """Remember a call, and wake who waits for it."""
        with self._heard:
            self.calls.append(call)
            self._heard.notify_all()

    def count(self, endpoint: str, subject: str | None) -> int:
        """How many calls an endpoint had, about one subject or any."""
        with self._heard:
            return sum(call.endpoint == endpoint and subject in {None, call.subject} for call in self.calls)

    def wait_for(self, endpoint: str, subject: str | None, times: int, timeout: float) -> bool:
        """Wait until an endpoint has had so many calls; False after ``timeout`` seconds."""
        with self._heard:
            return self._heard.wait_for(lambda: self.count(endpoint, subject) >= times, timeout)

    def knows(self, owner: str) -> bool:
        """Whether this key is a merchant's: any is, unless some were named."""
        return not self._owners or owner in self._owners

    def open(self, order: Order, owner: str) -> Payment:
        """Open a payment; raises ``Refused`` where the merchant may not."""
        if self.switches.fee_not_found:
            raise Refused({"detail": "Fee not found."})
        limit = self.switches.merchant_limit
        if limit is not None and order.amount > limit * 100:
            raise Refused({"amount": [f"Amount must be less than {limit}."]})
        return self.books.open(order, owner=owner, lifetime=order.ttl or self.switches.link_lifetime)

    def pay(self, pidx: str, khalti_id: str = "9800000001", *, bank: bool = False) -> Payment:
        return self.books.pay(pidx, mobile=khalti_id, fee=self._fee(pidx), bank=bank)

    def complete(self, pidx: str) -> Payment:
        return self.books.complete(pidx, fee=self._fee(pidx))

    def pend(self, pidx: str) -> Payment:
        return self.books.move(pidx, State.PENDING)

    def fail(self, pidx: str) -> Payment:
        return self.books.move(pidx, State.FAILED)

    def expire(self, pidx: str) -> Payment:
        return self.books.move(pidx, State.EXPIRED)

    def cancel(self, pidx: str) -> Payment:
        return self.books.move(pidx, State.CANCELED)

    def refund(self, pidx: str, amount: int | None = None) -> Payment:
        return self.books.refund(pidx, amount)

    def plan_of(self, payment: Payment) -> Plan:
        return payment.plan or self.switches.callback

    def return_urls(self, pidx: str) -> tuple[str, ...]:
        payment = self.books.get(pidx)
        return return_urls(payment, self.plan_of(payment))

    def _fee(self, pidx: str) -> int:
        fee = self.books.get(pidx).amount * self.switches.fee_percent / 100
        return int(fee.quantize(Decimal(1), ROUND_HALF_UP))


def owner_of(key: str) -> str:
    """What the books write in a key's place."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def _within(number: Any, low: Any, high: Any) -> Any:
    if not low <= number <= high:
        raise ValueError(f"lies between {low} and {high}")
    return number


def _decimal(given: Any) -> Decimal:
    try:
        number = Decimal(str(given))
    except InvalidOperation:
        raise ValueError("is a number") from None
    if not number.is_finite():
        raise ValueError("is a number")
    return number


def _yes(given: Any) -> bool:
    if str(given).lower() not in {"true", "on", "yes", "1", "false", "off", "no", "0", ""}:
        raise ValueError("is true or false")
    return str(given).lower() in {"true", "on", "yes", "1"}
