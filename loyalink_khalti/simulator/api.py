"""The API that a shop's server calls: epayment, refunds and the list of banks."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from .desk import Call, Desk, owner_of
from .faults import INSTEAD, Fault, instead, spoil
from .payment import NotPossible, Payment, State, stamp
from .validation import REQUIRED, Refused, checked, integer, read_order, string
from .web import BadRequest, Delivery, Request, Response

_ROUTES = (
    (re.compile(r"/api/v2/epayment/(initiate|lookup|lookup-sdk|detail)/"), None),
    (re.compile(r"/api(?:/v2)?/merchant-transaction/([^/]+)/refund/"), "refund"),
    (re.compile(r"/api/v5/bank/"), "bank"),
)
_NO_CREDENTIALS = {"detail": "Authentication credentials were not provided.", "status_code": 401}
_BAD_TOKEN = {"detail": "Invalid token.", "status_code": 401}
_NOT_FOUND = {"detail": "Not found.", "error_key": "validation_error"}
_LOOKUP_400 = (State.EXPIRED, State.CANCELED)
_BANKS = (
    ("ayCEFuEpkmkjBj3WVWRh32", "Himal Commercial Bank (simulated)", "HIMAL", True, True),
    ("bnK7hxLqR2sVd9TzPmWg4N", "Bagmati Development Bank (simulated)", "BAGMATI", True, False),
    ("cQm3vTzHs8LkYpWn5RdJ6B", "Lumbini Savings Bank (simulated)", "LUMBINI", False, True),
)


def answer(desk: Desk, request: Request) -> Response:
    """Answer one call, with whatever goes wrong on the way."""
    path = request.path if request.path.endswith("/") else request.path + "/"
    for pattern, name in _ROUTES:
        if match := pattern.fullmatch(path):
            if path != request.path:  # as Django does; a POST is lost on the way
                return Response.to(path, status=301)
            transaction_id = match[1] if name == "refund" else ""
            return _call(desk, request, name or match[1], transaction_id)
    return Response.json({"detail": "Not found."}, status=404)


def _call(desk: Desk, request: Request, endpoint: str, transaction_id: str) -> Response:
    subject = transaction_id or _subject(request, endpoint)
    desk.hear(Call(endpoint, subject))
    fault = desk.faults.take(endpoint, subject)
    if fault is None:
        return _endpoint(desk, request, endpoint, transaction_id)
    if fault.kind in INSTEAD and not fault.after:
        return instead(fault)
    if fault.kind == "hang" and not fault.after and desk.closing.wait(fault.duration):
        return Response(delivery=Delivery.DROP)
    response = _endpoint(desk, request, endpoint, transaction_id)
    return instead(fault) if fault.kind in INSTEAD else _spoilt(desk, fault, response)


def _spoilt(desk: Desk, fault: Fault, response: Response) -> Response:
    if fault.kind == "hang" and fault.after and desk.closing.wait(fault.duration):
        return Response(delivery=Delivery.DROP)
    return spoil(fault, response)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """One call by a merchant whose key is known."""

    desk: Desk
    owner: str
    body: dict[str, Any]
    root: str
    transaction_id: str


def _endpoint(desk: Desk, request: Request, endpoint: str, transaction_id: str) -> Response:
    try:
        if endpoint == "bank":
            return _banks(request)
        owner = _owner(desk, request)
        if request.method != "POST":
            return Response.json({"detail": f'Method "{request.method}" not allowed.'}, status=405)
        body = _object(request)
        ask = _Ask(desk=desk, owner=owner, body=body, root=request.root, transaction_id=transaction_id)
        return _CALLS[endpoint](ask)
    except _Denied as denied:
        return Response.json(denied.args[0], status=401, headers=(("WWW-Authenticate", "Key"),))
    except Refused as refused:
        return Response.json(refused.body, status=400)
    except BadRequest as bad:
        return Response.json({"detail": str(bad)}, status=bad.status)


class _Denied(Exception):
    pass


def _owner(desk: Desk, request: Request) -> str:
    keyword, _, key = request.headers.get("authorization", "").strip().partition(" ")
    key = key.strip()
    if keyword.lower() != "key" or not key:
        raise _Denied(_NO_CREDENTIALS)
    owner = owner_of(key)
    if " " in key or not desk.knows(owner):
        raise _Denied(_BAD_TOKEN)
    return owner


def _object(request: Request) -> dict[str, Any]:
    if not request.body.strip():
        return {}
    if request.media_type == "application/x-www-form-urlencoded":
        return dict(request.form)
    if request.media_type not in {"application/json", ""}:
        raise BadRequest(f'Unsupported media type "{request.media_type}" in request.', 415)
    body = request.json()
    if not isinstance(body, dict):
        words = f"Invalid data. Expected a dictionary, but got {type(body).__name__}."
        raise Refused({"non_field_errors": [words]})
    return body


def _subject(request: Request, endpoint: str) -> str:
    """What a call is about, whether or not it is valid."""
    try:
        body = _object(request)
    except (BadRequest, Refused):
        return ""
    return str(body.get("purchase_order_id" if endpoint == "initiate" else "pidx", ""))


def _initiate(ask: _Ask) -> Response:
    order = read_order(ask.body)
    payment = ask.desk.open(order, ask.owner)
    opened = {
        "pidx": payment.pidx,
        "payment_url": ask.root + _page(ask.desk, payment),
        "expires_at": stamp(payment.expires_at),
        "expires_in": order.ttl or ask.desk.switches.link_lifetime,
    }
    return Response.json(ask.desk.faults.bend("initiate", payment, opened, ask.desk.clock()))


def _page(desk: Desk, payment: Payment) -> str:
    if payment.bank:
        return f"/sct?pidx={payment.pidx}"
    if desk.switches.old_payment_urls:
        return f"/?pidx={payment.pidx}"
    fields = {"pidx": payment.pidx, "return_url": payment.return_url, "mode": "wallet"}
    return f"/wallet/?{urlencode(fields, quote_via=quote)}"


def _lookup(ask: _Ask) -> Response:
    payment = _asked_for(ask)
    if payment is None or payment.owner != ask.owner:
        return _unknown(ask)
    return _answered(ask, "lookup", payment, _told(payment))


def _lookup_sdk(ask: _Ask) -> Response:
    """The app's lookup; its public key is another than the one that opened the payment, so any key will do."""
    payment = _asked_for(ask)
    if payment is None:
        return _unknown(ask)
    more = {
        "purchase_order_id": payment.purchase_order_id,
        "purchase_order_name": payment.purchase_order_name,
        "extra_merchant_params": payment.merchant or None,
    }
    return _answered(ask, "lookup-sdk", payment, {**_told(payment), **more})


def _detail(ask: _Ask) -> Response:
    payment = _asked_for(ask)
    return _unknown(ask) if payment is None else Response.json({"return_url": payment.return_url})


def _asked_for(ask: _Ask) -> Payment | None:
    if "pidx" not in ask.body:
        raise Refused({"pidx": [REQUIRED]})
    return ask.desk.books.find(checked("pidx", ask.body["pidx"], string))


def _unknown(ask: _Ask) -> Response:
    return Response.json(_NOT_FOUND, status=ask.desk.switches.unknown_pidx_code)


def _answered(ask: _Ask, endpoint: str, payment: Payment, told: dict[str, Any]) -> Response:
    status = 400 if payment.state in _LOOKUP_400 else 200
    return Response.json(ask.desk.faults.bend(endpoint, payment, told, ask.desk.clock()), status=status)


def _told(payment: Payment) -> dict[str, Any]:
    return {
        "pidx": payment.pidx,
        "total_amount": payment.amount,
        "status": payment.state.value,
        "transaction_id": payment.transaction_id,
        "fee": payment.fee,
        "refunded": payment.refunded > 0,
    }


def _refund(ask: _Ask) -> Response:
    payment, body = ask.desk.books.find_transaction(ask.transaction_id), ask.body
    if payment is None or payment.owner != ask.owner:
        return Response.json(_NOT_FOUND, status=404)
    amount = checked("amount", body["amount"], integer) if "amount" in body else None
    if amount is not None and amount < 1:
        raise Refused({"amount": ["Ensure this value is greater than or equal to 1."]})
    if payment.bank and "mobile" not in body:
        raise Refused({"mobile": [REQUIRED]})
    if "mobile" in body and not re.fullmatch(r"9\d{9}", checked("mobile", body["mobile"], string)):
        raise Refused({"mobile": ["Enter a valid mobile number."]})
    try:
        ask.desk.refund(payment.pidx, amount)
    except NotPossible as exc:
        raise Refused({"detail": str(exc)}) from None
    return Response.json({"detail": "Transaction refund successful."})


def _banks(request: Request) -> Response:
    if request.method not in {"GET", "HEAD"}:
        return Response.json({"detail": f'Method "{request.method}" not allowed.'}, status=405)
    kind = request.args.get("payment_type", "")
    records = [
        {"idx": idx, "name": name, "short_name": short, "has_ebanking": web, "has_mobile_checkout": mobile}
        for idx, name, short, web, mobile in _BANKS
        if {"ebanking": web, "mobilecheckout": mobile}.get(kind, True)
    ]
    page = {"total_pages": 1, "total_records": len(records), "next": None, "previous": None}
    return Response.json({**page, "record_range": [1, len(records)], "current_page": 1, "records": records})


_CALLS: dict[str, Callable[[_Ask], Response]] = {
    "initiate": _initiate,
    "lookup": _lookup,
    "lookup-sdk": _lookup_sdk,
    "detail": _detail,
    "refund": _refund,
}
