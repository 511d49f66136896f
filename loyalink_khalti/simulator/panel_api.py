"""The panel for machines: ``POST /panel/api/<verb>`` with a JSON object.

    pay {pidx, khalti_id?}   cancel {pidx}   pend {pidx}   complete {pidx}   fail {pidx}   expire {pidx}
    refund {pidx, amount?}                   amount in paisa; all that is left without it
    callback {pidx, plan}                    normal, drop, double, server, forged or bare; null: as the switch says
    fault {kind, where?, times?, seconds?, pidx?, after?, status?}     see ``simulator.faults``; times null: for ever
    clear-faults {}
    switch {name: value, ...}                link_lifetime, fee_percent, old_payment_urls, merchant_limit (rupees),
                                             fee_not_found, unknown_pidx_code, callback
    payments {}   calls {}   faults {}       what there is; GET will do

The verbs of a payment answer ``{"payment": {...}, "return_urls": [...]}``; a "no" is 400, 404 or 409 with ``detail``.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from .desk import Desk
from .faults import read_fault
from .payment import NotPossible, Payment, Plan
from .web import Request, Response

_READS: dict[str, Callable[[Desk], Any]] = {
    "payments": lambda desk: [payment.as_json() for payment in desk.books.all()],
    "calls": lambda desk: [call._asdict() for call in tuple(desk.calls)],
    "faults": lambda desk: [asdict(fault) for fault in desk.faults.armed()],
}
_ACTS: dict[str, Callable[[Desk, str, dict[str, Any]], Payment]] = {
    "pay": lambda desk, pidx, body: desk.pay(pidx, str(body.get("khalti_id", "9800000001"))),
    "cancel": lambda desk, pidx, _: desk.cancel(pidx),
    "pend": lambda desk, pidx, _: desk.pend(pidx),
    "complete": lambda desk, pidx, _: desk.complete(pidx),
    "fail": lambda desk, pidx, _: desk.fail(pidx),
    "expire": lambda desk, pidx, _: desk.expire(pidx),
    "refund": lambda desk, pidx, body: desk.refund(pidx, _whole(body.get("amount"))),
    "callback": lambda desk, pidx, body: desk.books.plan(pidx, Plan(body["plan"]) if body.get("plan") else None),
}


def answer(desk: Desk, request: Request) -> Response:
    """Do one thing."""
    verb = request.path.removeprefix("/panel/api/").rstrip("/")
    if request.from_elsewhere:
        return _no(403, "Only the panel's own pages and programs may ask.")
    if verb in _READS and request.method in {"GET", "POST"}:
        return Response.json({verb: _READS[verb](desk)})
    if verb not in {*_ACTS, "fault", "clear-faults", "switch"}:
        return _no(404, f"There is no {verb!r}.")
    if request.method != "POST":
        return _no(405, "POST only.")
    body = request.json() if request.body.strip() else {}
    if not isinstance(body, dict):
        return _no(400, "A JSON object is wanted.")
    try:
        return _do(desk, verb, body)
    except NotPossible as exc:
        return _no(409, str(exc))
    except LookupError as exc:
        return _no(404, str(exc))
    except (TypeError, ValueError) as exc:
        return _no(400, str(exc))


def _do(desk: Desk, verb: str, body: dict[str, Any]) -> Response:
    if verb == "fault":
        desk.faults.arm(read_fault(body))
        return Response.json({"faults": _READS["faults"](desk)})
    if verb == "clear-faults":
        desk.faults.clear()
        return Response.json({"faults": []})
    if verb == "switch":
        for name, value in body.items():
            desk.switches.turn(name, value)
        switches = asdict(desk.switches)
        return Response.json({"switches": {**switches, "fee_percent": str(switches["fee_percent"])}})
    payment = _ACTS[verb](desk, str(body.get("pidx", "")), body)
    return Response.json({"payment": payment.as_json(), "return_urls": desk.return_urls(payment.pidx)})


def _whole(amount: Any) -> int | None:
    if amount is not None and (isinstance(amount, bool) or not isinstance(amount, int)):
        raise ValueError("amount is an integer of paisa")
    return amount


def _no(status: int, words: str) -> Response:
    return Response.json({"detail": words}, status=status)
