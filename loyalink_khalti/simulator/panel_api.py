"""The panel's JSON API: ``POST /panel/api/<verb>`` with a JSON object.

    pay {pidx, khalti_id?}   cancel {pidx}   pend {pidx}   complete {pidx}   fail {pidx}   expire {pidx}
    refund {pidx, amount?}                   amount in paisa; without it everything
    callback {pidx, plan}                    normal, drop, double, server, forged or bare; null: as the switch
    fault {kind, where?, times?, seconds?, pidx?, after?, status?}     see ``simulator.faults``; times null: always
    clear-faults {}
    switch {name: value, ...}                link_lifetime, fee_percent, old_payment_urls, merchant_limit (rupees),
                                             fee_not_found, unknown_pidx_code, callback
    payments {}   calls {}   faults {}       lists; GET works too

Verbs about a payment answer ``{"payment": {...}, "return_urls": [...]}``; errors are 400, 404 or 409 with ``detail``.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from .faults import read_fault
from .payment import CallbackPlan, NotPossible, Payment
from .service import KhaltiService
from .web import Request, Response

_LISTS: dict[str, Callable[[KhaltiService], Any]] = {
    "payments": lambda service: [payment.as_json() for payment in service.database.all()],
    "calls": lambda service: [call._asdict() for call in tuple(service.calls)],
    "faults": lambda service: [asdict(fault) for fault in service.faults.armed()],
}
_ACTIONS: dict[str, Callable[[KhaltiService, str, dict[str, Any]], Payment]] = {
    "pay": lambda service, pidx, body: service.pay(pidx, str(body.get("khalti_id", "9800000001"))),
    "cancel": lambda service, pidx, _: service.cancel(pidx),
    "pend": lambda service, pidx, _: service.pend(pidx),
    "complete": lambda service, pidx, _: service.complete(pidx),
    "fail": lambda service, pidx, _: service.fail(pidx),
    "expire": lambda service, pidx, _: service.expire(pidx),
    "refund": lambda service, pidx, body: service.refund(pidx, _whole(body.get("amount"))),
    "callback": lambda service, pidx, body: service.database.set_plan(pidx, _plan(body.get("plan"))),
}


def answer(service: KhaltiService, request: Request) -> Response:
    """Carry out one verb and return its JSON response."""
    verb = request.path.removeprefix("/panel/api/").rstrip("/")
    if request.is_cross_site:
        return _error(403, "Only the panel's own pages and programs are accepted.")
    if verb in _LISTS and request.method in {"GET", "POST"}:
        return Response.json({verb: _LISTS[verb](service)})
    if verb not in {*_ACTIONS, "fault", "clear-faults", "switch"}:
        return _error(404, f"No such verb: {verb!r}.")
    if request.method != "POST":
        return _error(405, "Only POST is allowed.")
    body = request.json() if request.body.strip() else {}
    if not isinstance(body, dict):
        return _error(400, "The body must be a JSON object.")
    try:
        return _do(service, verb, body)
    except NotPossible as exc:
        return _error(409, str(exc))
    except LookupError as exc:
        return _error(404, str(exc))
    except (TypeError, ValueError) as exc:
        return _error(400, str(exc))


def _do(service: KhaltiService, verb: str, body: dict[str, Any]) -> Response:
    if verb == "fault":
        service.faults.arm(read_fault(body))
        return Response.json({"faults": _LISTS["faults"](service)})
    if verb == "clear-faults":
        service.faults.clear()
        return Response.json({"faults": []})
    if verb == "switch":
        for name, value in body.items():
            service.switches.set(name, value)
        switches = asdict(service.switches)
        return Response.json({"switches": {**switches, "fee_percent": str(switches["fee_percent"])}})
    payment = _ACTIONS[verb](service, str(body.get("pidx", "")), body)
    return Response.json({"payment": payment.as_json(), "return_urls": service.return_urls(payment.pidx)})


def _plan(name: Any) -> CallbackPlan | None:
    return CallbackPlan(name) if name else None


def _whole(amount: Any) -> int | None:
    if amount is not None and (isinstance(amount, bool) or not isinstance(amount, int)):
        raise ValueError("amount must be an integer, in paisa")
    return amount


def _error(status: int, detail: str) -> Response:
    return Response.json({"detail": detail}, status=status)
