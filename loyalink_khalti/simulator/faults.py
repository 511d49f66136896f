"""Faults that a test arms at the API. Each call uses up the first fault that matches it."""

import json
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .payment import PAID, Payment, new_id
from .web import Delivery, Response

ENDPOINTS = ("initiate", "lookup", "lookup-sdk", "detail", "refund", "bank")

REPLACED = {
    "503": "503 with an HTML page",
    "500": "500 with JSON",
    "429": "429 with Retry-After",
    "garbage": "200 with something that is not JSON",
    "empty": "200 with an empty body",
    "huge": "200 with 64 MB of spaces",
    "redirect": "302 to another server",
    "drop": "the connection is closed without a response",
}
"""Kinds that replace the endpoint's response: the endpoint does nothing, or with ``after`` its response is lost."""

BADLY_DELIVERED = {
    "hang": "no response for some seconds, then the response",
    "drip": "the body, one byte at a time",
    "header_drip": "the whole response, one byte at a time",
    "cut": "half of the response",
}
"""Kinds in which the endpoint does its work and the response arrives slowly or in part."""

WRONG_ANSWER = {
    "not_yet": "a paid payment is still Pending",
    "wrong_amount": "a wrong total_amount",
    "wrong_pidx": "a wrong pidx",
    "no_transaction_id": "transaction_id is null",
    "unknown_status": "an undocumented status",
    "refunded_flag": "refunded is true for every status",
    "wrong_payment_url": "payment_url of initiate is on another server",
}
"""Kinds that change the answer of lookup (or initiate). Most apply to paid payments only."""

KINDS = {**REPLACED, **BADLY_DELIVERED, **WRONG_ANSWER}
_SECONDS = {"hang": 30.0, "429": 30.0, "drip": 0.2, "header_drip": 0.2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault that happens ``times`` times (None: until cleared) at ``where`` (an endpoint, or ``all``).

    ``seconds`` is the length of a hang, the pause between two dripped bytes, the value of Retry-After, or how long
    after the payment ``not_yet`` lasts. With ``after`` the endpoint does its work and only the response is lost.
    Raises ``ValueError`` for an unknown kind or endpoint and for numbers out of range.
    """

    kind: str
    where: str = "lookup"
    times: int | None = 1
    seconds: float | None = None
    pidx: str | None = None
    after: bool = False
    status: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.kind!r}. Kinds: {', '.join(KINDS)}")
        if self.where not in (*ENDPOINTS, "all"):
            raise ValueError(f"no such endpoint: {self.where!r}. Endpoints: {', '.join(ENDPOINTS)} and all")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1")
        if self.seconds is not None and not 0 <= self.seconds <= 86_400:
            raise ValueError("seconds must be between 0 and 86400")

    @property
    def duration(self) -> float:
        """Return ``seconds``, or the default of this kind."""
        return _SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds


class Faults:
    """The armed faults, oldest first. The first that matches a call is used."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._lock = threading.Lock()

    def arm(self, fault: Fault) -> None:
        """Add a fault. ``not_yet`` with seconds lasts until they have passed, not a number of times."""
        if fault.kind == "not_yet" and fault.seconds is not None:
            fault = replace(fault, times=None)
        with self._lock:
            self._armed.append(fault)

    def clear(self) -> None:
        """Disarm all faults."""
        with self._lock:
            self._armed.clear()

    def armed(self) -> list[Fault]:
        """Return the armed faults, oldest first."""
        with self._lock:
            return list(self._armed)

    def take(self, endpoint: str, subject: str) -> Fault | None:
        """Return the fault that replaces or delays the response to this call, and use it up. None without one."""
        with self._lock:
            for fault in self._armed:
                if fault.kind not in WRONG_ANSWER and _matches(fault, endpoint, subject):
                    return self._use(fault)
        return None

    def alter(self, endpoint: str, payment: Payment, answer: dict[str, Any], now: datetime) -> dict[str, Any]:
        """Return the answer, changed by the first matching fault of ``WRONG_ANSWER``."""
        with self._lock:
            for fault in self._armed:
                changes = _changes(fault, payment, answer, now) if _matches(fault, endpoint, payment.pidx) else {}
                if changes:
                    self._use(fault)
                    return {**answer, **changes}
        return answer

    def _use(self, fault: Fault) -> Fault:
        if fault.times is not None:
            at = next(index for index, armed in enumerate(self._armed) if armed is fault)
            self._armed[at : at + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
        return fault


def _matches(fault: Fault, endpoint: str, subject: str) -> bool:
    return fault.where in {endpoint, "all"} and fault.pidx in {None, subject}


def _changes(fault: Fault, payment: Payment, answer: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the fields of the answer that this fault changes. Empty when it does not apply."""
    if fault.kind == "wrong_payment_url":
        url = answer.get("payment_url")
        return {"payment_url": f"https://khalti.example.org/?pidx={payment.pidx}"} if url else {}
    if "total_amount" not in answer:
        return {}
    if fault.kind == "wrong_pidx":
        return {"pidx": new_id()}
    if fault.kind == "unknown_status":
        return {"status": fault.status or "Under review"}
    if payment.state not in PAID:
        return {}
    if fault.kind == "not_yet":
        return _not_yet(fault, payment, now)
    return {
        "wrong_amount": {"total_amount": answer["total_amount"] - 100},
        "no_transaction_id": {"transaction_id": None},
        "refunded_flag": {"refunded": True},
    }.get(fault.kind, {})


def _not_yet(fault: Fault, payment: Payment, now: datetime) -> dict[str, Any]:
    if fault.seconds is not None and payment.paid_at and now >= payment.paid_at + timedelta(seconds=fault.seconds):
        return {}
    return {"status": fault.status or "Pending", "transaction_id": None, "fee": 0, "refunded": False}


def replacement(fault: Fault) -> Response:
    """Return the response of a fault of ``REPLACED``."""
    if fault.kind == "503":
        return Response.html(
            "<html><head><title>503 Service Temporarily Unavailable</title></head></html>", status=503
        )
    if fault.kind == "500":
        return Response.json({"detail": "Internal server error."}, status=500)
    if fault.kind == "429":
        seconds = round(fault.duration)
        detail = f"Request was throttled. Expected available in {seconds} seconds."
        return Response.json({"detail": detail}, status=429, headers=(("Retry-After", str(seconds)),))
    if fault.kind == "redirect":
        return Response(status=302, headers=(("Location", "https://khalti.example.org/"),))
    if fault.kind == "drop":
        return Response(delivery=Delivery.DROP)
    body = {"garbage": b"\x1f\x8b\x00{]not json", "huge": b" "}.get(fault.kind, b"")
    body *= 64_000_000 if fault.kind == "huge" else 1
    return Response(body=body, headers=(("Content-Type", "application/json"),))


def with_bad_delivery(fault: Fault, response: Response) -> Response:
    """Return the same response with the delivery that the fault chooses."""
    delivery = {"drip": Delivery.DRIP, "header_drip": Delivery.HEADER_DRIP, "cut": Delivery.CUT}.get(fault.kind)
    return response if delivery is None else replace(response, delivery=delivery, pace=fault.duration)


def describe(fault: Fault) -> str:
    """Return one line for the panel: ``lookup: 503 with an HTML page, 2 times``."""
    times = "until cleared" if fault.times is None else "once" if fault.times == 1 else f"{fault.times} times"
    details = [f"{fault.where}: {KINDS[fault.kind]}", times]
    if fault.seconds is not None:
        details.append(f"{fault.seconds:g} s")
    if fault.pidx:
        details.append(f"for {fault.pidx} only")
    if fault.after:
        details.append("after the endpoint has done its work")
    return ", ".join(details)


def read_fault(fields: dict[str, Any]) -> Fault:
    """Return a fault from JSON or from the panel's form. Raises ``ValueError`` when a field is wrong."""
    names = {"kind", "where", "times", "seconds", "pidx", "after", "status"}
    if unknown := set(fields) - names:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
    set_fields = {name: value for name, value in fields.items() if value not in ("", None)}
    # times null means "until cleared"; without times it is once
    times = set_fields.get("times", None if fields.get("times", 1) is None else 1)
    return Fault(
        kind=str(set_fields.get("kind", "")),
        where=str(set_fields.get("where", "lookup")),
        times=None if times in (None, 0, "0") else int(times),
        seconds=float(set_fields["seconds"]) if "seconds" in set_fields else None,
        pidx=str(set_fields["pidx"]) if "pidx" in set_fields else None,
        after=json.loads(str(set_fields.get("after", False)).lower()) is True,
        status=str(set_fields["status"]) if "status" in set_fields else None,
    )
