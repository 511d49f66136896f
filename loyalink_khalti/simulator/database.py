"""The simulator's database: one SQLite file, one row per payment, every change a conditional UPDATE."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .payment import PAID, CallbackPlan, NotPossible, Payment, State, micros, new_id, payment_from
from .validation import InitiateRequest

SCHEMA = """
CREATE TABLE IF NOT EXISTS payment (
    pidx TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    return_url TEXT NOT NULL,
    website_url TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    purchase_order_id TEXT NOT NULL,
    purchase_order_name TEXT NOT NULL,
    bank INTEGER NOT NULL,
    merchant TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    plan TEXT,
    wrong_tries INTEGER NOT NULL DEFAULT 0,
    transaction_id TEXT UNIQUE,
    mobile TEXT NOT NULL DEFAULT '',
    fee INTEGER NOT NULL DEFAULT 0,
    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
    paid_at INTEGER
);
CREATE INDEX IF NOT EXISTS payment_open ON payment (state, expires_at);
CREATE TABLE IF NOT EXISTS refund (
    id INTEGER PRIMARY KEY,
    pidx TEXT NOT NULL REFERENCES payment (pidx),
    amount INTEGER NOT NULL CHECK (amount > 0),
    at INTEGER NOT NULL
);
"""

MAX_WRONG_TRIES = 3
"""Wrong MPINs or OTPs on one payment page, after which Khalti accepts no more."""

_OPEN = (State.INITIATED, State.PENDING)
_ALLOWED_FROM = {
    State.PENDING: (State.INITIATED,),
    State.FAILED: _OPEN,
    State.EXPIRED: _OPEN,
    State.CANCELED: _OPEN,
    # A payment may complete late. A shop that has already released the stock must handle it.
    State.COMPLETED: (*_OPEN, State.FAILED, State.EXPIRED, State.CANCELED),
}


class Database:
    """One SQLite connection behind one lock; ``clock`` returns an aware datetime.

    Raises ``sqlite3.Error`` when the file cannot be opened or written.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # survives kill -9, which a test sends
            self._db.executescript(SCHEMA)
            self._db.execute("BEGIN IMMEDIATE")  # fails here when the file is not writable
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()

    def open(self, request: InitiateRequest, *, owner: str, lifetime: int) -> Payment:
        """Return a new payment that can be paid for ``lifetime`` seconds. One order may have many payments."""
        now, pidx = self._clock(), new_id()
        row = {
            "pidx": pidx,
            "owner": owner,
            "return_url": request.return_url,
            "website_url": request.website_url,
            "amount": request.amount,
            "purchase_order_id": request.purchase_order_id,
            "purchase_order_name": request.purchase_order_name,
            "bank": request.bank,
            "merchant": json.dumps(request.merchant),
            "created_at": micros(now),
            "expires_at": micros(now + timedelta(seconds=lifetime)),
            "state": State.INITIATED,
        }
        with self._transaction() as db:
            marks = ", ".join(f":{name}" for name in row)
            db.execute(f"INSERT INTO payment ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608 (names from here)
        return self.get(pidx)

    def find(self, pidx: str) -> Payment | None:
        """Return the payment, or None for an unknown pidx."""
        return self._one("SELECT * FROM payment WHERE pidx = ?", pidx)

    def find_transaction(self, transaction_id: str) -> Payment | None:
        """Return the payment of a transaction, or None for an unknown id."""
        return self._one("SELECT * FROM payment WHERE transaction_id = ?", transaction_id)

    def get(self, pidx: str) -> Payment:
        """Return the payment. Raises ``LookupError`` for an unknown pidx."""
        payment = self.find(pidx)
        if payment is None:
            raise LookupError(f"no payment {pidx!r}")
        return payment

    def all(self, limit: int = -1) -> list[Payment]:
        """Return the payments, newest first."""
        with self._transaction() as db:
            rows = db.execute("SELECT * FROM payment ORDER BY created_at DESC, rowid DESC LIMIT ?", (limit,))
            return [payment_from(dict(row)) for row in rows]

    def pay(self, pidx: str, *, mobile: str, fee: int, bank: bool = False) -> Payment:
        """Capture the payment. Raises ``NotPossible`` unless it is Initiated, so of two tries only one succeeds."""
        return self._complete(pidx, (State.INITIATED,), mobile=mobile, fee=fee, bank=bank, doing="paid")

    def complete(self, pidx: str, *, fee: int) -> Payment:
        """Make the payment Completed, even after it expired, failed or was cancelled."""
        return self._complete(
            pidx, _ALLOWED_FROM[State.COMPLETED], mobile="9800000000", fee=fee, bank=False, doing="completed"
        )

    def move(self, pidx: str, to: State) -> Payment:
        """Make the payment Pending, Failed, Expired or User canceled. Raises ``NotPossible`` when it is too late."""
        changes: dict[str, Any] = {"state": to}
        if to is State.EXPIRED:
            changes["expires_at"] = min(micros(self._clock()), micros(self.get(pidx).expires_at))
        if to is State.FAILED:
            changes["transaction_id"] = new_id()  # Khalti's one sample of Failed has one
        return self._change(pidx, _ALLOWED_FROM[to], changes, doing=f"made {to.value}")

    def refund(self, pidx: str, amount: int | None = None) -> Payment:
        """Refund ``amount`` in paisa, or everything refundable. Raises ``NotPossible``."""
        with self._transaction() as db:
            payment = self.get(pidx)
            part = payment.refundable if amount is None else amount
            if payment.state not in PAID:
                raise NotPossible(f"This transaction cannot be refunded: it is {payment.state.value}.")
            if payment.refundable == 0:
                raise NotPossible("This transaction has already been refunded.")
            if not 0 < part <= payment.refundable:
                raise NotPossible("The refund amount cannot be greater than the amount left.")
            state = State.REFUNDED if part == payment.refundable else State.PARTIALLY_REFUNDED
            db.execute("UPDATE payment SET refunded = refunded + ?, state = ? WHERE pidx = ?", (part, state, pidx))
            db.execute("INSERT INTO refund (pidx, amount, at) VALUES (?, ?, ?)", (pidx, part, micros(self._clock())))
        return self.get(pidx)

    def wrong_try(self, pidx: str) -> int:
        """Count a wrong MPIN or OTP and return how many tries remain."""
        with self._transaction() as db:
            db.execute("UPDATE payment SET wrong_tries = wrong_tries + 1 WHERE pidx = ?", (pidx,))
        return max(MAX_WRONG_TRIES - self.get(pidx).wrong_tries, 0)

    def set_plan(self, pidx: str, plan: CallbackPlan | None) -> Payment:
        """Choose how this payment sends the customer's browser back. None follows the switch ``callback``."""
        with self._transaction() as db:
            db.execute("UPDATE payment SET plan = ? WHERE pidx = ?", (plan, pidx))
        return self.get(pidx)

    def _complete(
        self, pidx: str, before: tuple[State, ...], *, mobile: str, fee: int, bank: bool, doing: str
    ) -> Payment:
        changes = {
            "state": State.COMPLETED,
            "transaction_id": new_id(),
            "mobile": mobile,
            "fee": fee,
            "bank": bank or self.get(pidx).bank,
            "paid_at": micros(self._clock()),
        }
        return self._change(pidx, before, changes, doing=doing)

    def _change(self, pidx: str, before: tuple[State, ...], changes: dict[str, Any], *, doing: str) -> Payment:
        with self._transaction() as db:
            sets = ", ".join(f"{name} = ?" for name in changes)
            states = ", ".join("?" for _ in before)
            statement = f"UPDATE payment SET {sets} WHERE pidx = ? AND state IN ({states})"  # noqa: S608 (names from here)
            done = db.execute(statement, (*changes.values(), pidx, *before))
            payment = self.get(pidx)
            if not done.rowcount:
                raise NotPossible(f"This payment is {payment.state.value}: it cannot be {doing}.")
        return payment

    def _one(self, query: str, value: str) -> Payment | None:
        with self._transaction() as db:
            row = db.execute(query, (value,)).fetchone()
        return None if row is None else payment_from(dict(row))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Open one transaction, in which links past their lifetime become Expired first."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute(
                    "UPDATE payment SET state = ? WHERE state = ? AND expires_at <= ?",
                    (State.EXPIRED, State.INITIATED, micros(self._clock())),
                )
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
