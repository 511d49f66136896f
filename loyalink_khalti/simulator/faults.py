"""What can be made to go wrong at the API: a list of armed faults, used up call by call."""

import json
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .payment import PAID, Payment, new_id
from .web import Delivery, Response

ENDPOINTS = ("initiate", "lookup", "lookup-sdk", "detail", "refund", "bank")

INSTEAD = {
    "503": "503 with an HTML page",
    "500": "500 with JSON",
    "429": "429 with Retry-After",
    "garbage": "200 with something that is not JSON",
    "empty": "200 with nothing",
    "huge": "200 with 64 MB of spaces",
    "redirect": "302 to somewhere else",
    "drop": "the connection is closed without an answer",
}
"""Kinds that answer in the endpoint's place: it is never reached, or its answer is lost (``after``)."""

SPOILT = {
    "hang": "silence for some seconds, then the answer",
    "drip": "the answer's body, a byte at a time",
    "header_drip": "the whole answer, a byte at a time",
    "cut": "the answer breaks off half way",
}
"""Kinds that do what was asked, and deliver the answer badly."""

UNTRUE = {
    "not_yet": "a paid payment still looks Pending",
    "wrong_amount": "another total_amount",
    "wrong_pidx": "another pidx",
    "no_transaction_id": "a transaction_id that is null",
    "unknown_status": "a status that nobody knows",
    "refunded_flag": "refunded is true, whatever the status",
    "wrong_payment_url": "initiate's payment_url is not Khalti's",
}
"""Kinds that change what lookup (or initiate) says; most wait for a paid payment."""

KINDS = {**INSTEAD, **SPOILT, **UNTRUE}
_SECONDS = {"hang": 30.0, "429": 30.0, "drip": 0.2, "header_drip": 0.2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong ``times`` times (None: until cleared) at ``where`` (an endpoint, or ``all``).

    ``seconds`` is how long to hang, how long between two dripped bytes, what Retry-After says, or for how long after
    the payment ``not_yet`` lasts. ``after`` lets the endpoint do its work and loses the answer only.
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
            raise ValueError(f"no such fault: {self.kind!r}; there are {', '.join(KINDS)}")
        if self.where not in (*ENDPOINTS, "all"):
            raise ValueError(f"no such endpoint: {self.where!r}; there are {', '.join(ENDPOINTS)} and all")
        if self.times is not None and self.times < 1:
            raise ValueError("times is at least 1")
        if self.seconds is not None and not 0 <= self.seconds <= 86_400:
            raise ValueError("seconds lie between 0 and 86400")

    @property
    def duration(self) -> float:
        """``seconds``, or what this kind takes when none are given."""
        return _SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds


class Faults:
    """The armed faults, oldest first; the first that fits a call is used."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._lock = threading.Lock()

    def arm(self, fault: Fault) -> None:
        if fault.kind == "not_yet" and fault.seconds is not None:
            fault = replace(fault, times=None)
        with self._lock:
            self._armed.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    def armed(self) -> list[Fault]:
        with self._lock:
            return list(self._armed)

    def take(self, endpoint: str, subject: str) -> Fault | None:
        """The fault that this call's delivery meets, if any."""
        with self._lock:
            for fault in self._armed:
                if fault.kind not in UNTRUE and _meets(fault, endpoint, subject):
                    return self._use(fault)
        return None

    def bend(self, endpoint: str, payment: Payment, answer: dict[str, Any], now: datetime) -> dict[str, Any]:
        """The answer as an armed lie would have it."""
        with self._lock:
            for fault in self._armed:
                lie = _lie(fault, payment, answer, now) if _meets(fault, endpoint, payment.pidx) else {}
                if lie:
                    self._use(fault)
                    return {**answer, **lie}
        return answer

    def _use(self, fault: Fault) -> Fault:
        if fault.times is not None:
            at = next(index for index, armed in enumerate(self._armed) if armed is fault)
            self._armed[at : at + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
        return fault


def _meets(fault: Fault, endpoint: str, subject: str) -> bool:
    return fault.where in {endpoint, "all"} and fault.pidx in {None, subject}


def _lie(fault: Fault, payment: Payment, answer: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What this fault changes in this answer; empty where it has nothing to do."""
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


def instead(fault: Fault) -> Response:
    """The answer of a kind that answers in the endpoint's place."""
    if fault.kind == "503":
        return Response.html(
            "<html><head><title>503 Service Temporarily Unavailable</title></head></html>", status=503
        )
    if fault.kind == "500":
        return Response.json({"detail": "Internal server error."}, status=500)
    if fault.kind == "429":
        seconds = round(fault.duration)
        words = f"Request was throttled. Expected available in {seconds} seconds."
        return Response.json({"detail": words}, status=429, headers=(("Retry-After", str(seconds)),))
    if fault.kind == "redirect":
        return Response(status=302, headers=(("Location", "https://khalti.example.org/"),))
    if fault.kind == "drop":
        return Response(delivery=Delivery.DROP)
    body = {"garbage": b"\x1f\x8b\x00{]not json", "huge": b" "}.get(fault.kind, b"")
    body *= 64_000_000 if fault.kind == "huge" else 1
    return Response(body=body, headers=(("Content-Type", "application/json"),))


def spoil(fault: Fault, response: Response) -> Response:
    """The same answer, delivered badly."""
    delivery = {"drip": Delivery.DRIP, "header_drip": Delivery.HEADER_DRIP, "cut": Delivery.CUT}.get(fault.kind)
    return response if delivery is None else replace(response, delivery=delivery, pace=fault.duration)


def describe(fault: Fault) -> str:
    """A line for the panel: ``lookup: 503 with an HTML page, 2 times``."""
    times = "until cleared" if fault.times is None else "once" if fault.times == 1 else f"{fault.times} times"
    details = [f"{fault.where}: {KINDS[fault.kind]}", times]
    if fault.seconds is not None:
        details.append(f"{fault.seconds:g} s")
    if fault.pidx:
        details.append(f"for {fault.pidx} only")
    if fault.after:
        details.append("after doing what was asked")
    return ", ".join(details)


def read_fault(fields: dict[str, Any]) -> Fault:
    """A fault from JSON or from the panel's form; raises ``ValueError``."""
    known = {"kind", "where", "times", "seconds", "pidx", "after", "status"}
    if unknown := set(fields) - known:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
    given = {name: value for name, value in fields.items() if value not in ("", None)}
    # times: null means "until cleared", times left out means once
    times = given.get("times", None if fields.get("times", 1) is None else 1)
    return Fault(
        kind=str(given.get("kind", "")),
        where=str(given.get("where", "lookup")),
        times=None if times in (None, 0, "0") else int(times),
        seconds=float(given["seconds"]) if "seconds" in given else None,
        pidx=str(given["pidx"]) if "pidx" in given else None,
        after=json.loads(str(given.get("after", False)).lower()) is True,
        status=str(given["status"]) if "status" in given else None,
    )
