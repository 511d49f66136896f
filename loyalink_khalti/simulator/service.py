"""The simulated Khalti behind its API and pages: payments, switches, armed faults and recorded calls."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from loyalink_khalti.nepal import plain_number

from .callback import return_urls
from .database import Database
from .faults import Faults
from .payment import CallbackPlan, Payment, State
from .validation import InitiateRequest, Refused

RECORDED_CALLS = 10_000
"""How many calls are kept; the oldest are dropped first."""


class Call(NamedTuple):
    """One call that the API received; ``subject`` is a purchase_order_id, a pidx or a transaction id."""

    endpoint: str
    subject: str


@dataclass(slots=True, kw_only=True)
class Switches:
    """Behaviour that Khalti does not document or that differs between merchants. Each can change at run time."""

    link_lifetime: int = 1800  # seconds
    fee_percent: Decimal = Decimal(3)
    old_payment_urls: bool = False
    merchant_limit: int | None = None  # rupees
    fee_not_found: bool = False
    unknown_pidx_code: int = 404
    callback: CallbackPlan = CallbackPlan.NORMAL

    def set(self, name: str, value: Any) -> None:
        """Set one switch by name, from JSON or a form field. Raises ``ValueError`` for a wrong name or value."""
        readers: dict[str, Callable[[Any], Any]] = {
            "link_lifetime": lambda text: _within(int(text), 1, 10**7),
            "fee_percent": lambda text: _within(_decimal(text), Decimal(0), Decimal(100)),
            "old_payment_urls": _boolean,
            "merchant_limit": lambda text: None if text in ("", None) else _within(int(text), 1, 10**9),
            "fee_not_found": _boolean,
            "unknown_pidx_code": lambda text: _within(int(text), 400, 404),
            "callback": CallbackPlan,
        }
        if name not in readers:
            raise ValueError(f"no such switch: {name!r}. Switches: {', '.join(readers)}")
        try:
            setattr(self, name, readers[name](plain_number(value) if isinstance(value, str) else value))
        except (TypeError, ValueError) as exc:
            raise ValueError(f"{name}: {exc}") from None


class KhaltiService:
    """What Khalti does with payments. Every method may be called from any thread.

    ``clock`` returns an aware datetime. Methods that change a payment raise ``LookupError`` for an unknown pidx and
    ``NotPossible`` when its state does not allow the change.
    """

    def __init__(
        self, db: Path, *, keys: Iterable[str] = (), switches: Switches, clock: Callable[[], datetime]
    ) -> None:
        self.database = Database(db, clock)
        self.switches = switches
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=RECORDED_CALLS)
        self.closing = threading.Event()
        self._call_recorded = threading.Condition()
        self.clock = clock
        self._owners = frozenset(map(owner_of, keys))

    def close(self) -> None:
        self.closing.set()
        self.database.close()

    def record(self, call: Call) -> None:
        """Record a call and wake the threads that wait for one."""
        with self._call_recorded:
            self.calls.append(call)
            self._call_recorded.notify_all()

    def count(self, endpoint: str, subject: str | None) -> int:
        """Return how many calls an endpoint received, about one subject or about any."""
        with self._call_recorded:
            return sum(call.endpoint == endpoint and subject in {None, call.subject} for call in self.calls)

    def wait_for(self, endpoint: str, subject: str | None, times: int, timeout: float) -> bool:
        """Wait until an endpoint has received ``times`` calls. Return False after ``timeout`` seconds."""
        with self._call_recorded:
            return self._call_recorded.wait_for(lambda: self.count(endpoint, subject) >= times, timeout)

    def accepts(self, owner: str) -> bool:
        """Whether a key with this hash is valid. Every key is, unless the simulator was started with ``keys``."""
        return not self._owners or owner in self._owners

    def open(self, request: InitiateRequest, owner: str) -> Payment:
        """Return a new payment. Raises ``Refused`` when a switch forbids it."""
        if self.switches.fee_not_found:
            raise Refused({"detail": "Fee not found."})
        limit = self.switches.merchant_limit
        if limit is not None and request.amount > limit * 100:
            raise Refused({"amount": [f"Amount must be less than {limit}."]})
        return self.database.open(request, owner=owner, lifetime=request.ttl or self.switches.link_lifetime)

    def pay(self, pidx: str, khalti_id: str = "9800000001", *, bank: bool = False) -> Payment:
        return self.database.pay(pidx, mobile=khalti_id, fee=self._fee(pidx), bank=bank)

    def complete(self, pidx: str) -> Payment:
        return self.database.complete(pidx, fee=self._fee(pidx))

    def pend(self, pidx: str) -> Payment:
        return self.database.move(pidx, State.PENDING)

    def fail(self, pidx: str) -> Payment:
        return self.database.move(pidx, State.FAILED)

    def expire(self, pidx: str) -> Payment:
        return self.database.move(pidx, State.EXPIRED)

    def cancel(self, pidx: str) -> Payment:
        return self.database.move(pidx, State.CANCELED)

    def refund(self, pidx: str, amount: int | None = None) -> Payment:
        return self.database.refund(pidx, amount)

    def plan_of(self, payment: Payment) -> CallbackPlan:
        """Return the payment's callback plan, or that of the switch ``callback``."""
        return payment.plan or self.switches.callback

    def return_urls(self, pidx: str) -> tuple[str, ...]:
        """Return the URLs to which the browser would be sent now, in order."""
        payment = self.database.get(pidx)
        return return_urls(payment, self.plan_of(payment))

    def _fee(self, pidx: str) -> int:
        fee = self.database.get(pidx).amount * self.switches.fee_percent / 100
        return int(fee.quantize(Decimal(1), ROUND_HALF_UP))


def owner_of(key: str) -> str:
    """Return the hash that the database stores in place of a secret key."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def _within(number: Any, low: Any, high: Any) -> Any:
    if not low <= number <= high:
        raise ValueError(f"must be between {low} and {high}")
    return number


def _decimal(value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("must be a number") from None
    if not number.is_finite():
        raise ValueError("must be a number")
    return number


def _boolean(value: Any) -> bool:
    if str(value).lower() not in {"true", "on", "yes", "1", "false", "off", "no", "0", ""}:
        raise ValueError("must be true or false")
    return str(value).lower() in {"true", "on", "yes", "1"}
