"""The API that a shop's server calls: epayment, refunds and the list of banks.

https://docs.khalti.com/khalti-epayment/ and https://docs.khalti.com/api/refund/
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from .faults import REPLACED, Fault, replacement, with_bad_delivery
from .payment import NotPossible, Payment, State, stamp
from .service import Call, KhaltiService, owner_of
from .validation import REQUIRED, Refused, checked, integer, parse_initiate, string
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


def answer(service: KhaltiService, request: Request) -> Response:
    """Answer one call, with the armed faults that match it."""
    path = request.path if request.path.endswith("/") else request.path + "/"
    for pattern, name in _ROUTES:
        if match := pattern.fullmatch(path):
            if path != request.path:  # as Django does; the redirect loses the POST body
                return Response.redirect(path, status=301)
            transaction_id = match[1] if name == "refund" else ""
            return _call(service, request, name or match[1], transaction_id)
    return Response.json({"detail": "Not found."}, status=404)


def _call(service: KhaltiService, request: Request, endpoint: str, transaction_id: str) -> Response:
    subject = transaction_id or _subject(request, endpoint)
    service.record(Call(endpoint, subject))
    fault = service.faults.take(endpoint, subject)
    if fault is None:
        return _endpoint(service, request, endpoint, transaction_id)
    if fault.kind in REPLACED and not fault.after:
        return replacement(fault)
    if fault.kind == "hang" and not fault.after and service.closing.wait(fault.duration):
        return Response(delivery=Delivery.DROP)
    response = _endpoint(service, request, endpoint, transaction_id)
    return replacement(fault) if fault.kind in REPLACED else _badly_delivered(service, fault, response)


def _badly_delivered(service: KhaltiService, fault: Fault, response: Response) -> Response:
    if fault.kind == "hang" and fault.after and service.closing.wait(fault.duration):
        return Response(delivery=Delivery.DROP)
    return with_bad_delivery(fault, response)


@dataclass(frozen=True, slots=True, kw_only=True)
class _MerchantCall:
    """One call with a valid key."""

    service: KhaltiService
    owner: str
    body: dict[str, Any]
    root: str
    transaction_id: str


def _endpoint(service: KhaltiService, request: Request, endpoint: str, transaction_id: str) -> Response:
    try:
        if endpoint == "bank":
            return _banks(request)
        owner = _owner(service, request)
        if request.method != "POST":
            return Response.json({"detail": f'Method "{request.method}" not allowed.'}, status=405)
        body = _object(request)
        call = _MerchantCall(service=service, owner=owner, body=body, root=request.root, transaction_id=transaction_id)
        return _ENDPOINTS[endpoint](call)
    except _Denied as denied:
        return Response.json(denied.args[0], status=401, headers=(("WWW-Authenticate", "Key"),))
    except Refused as refused:
        return Response.json(refused.body, status=400)
    except BadRequest as bad:
        return Response.json({"detail": str(bad)}, status=bad.status)


class _Denied(Exception):
    pass


def _owner(service: KhaltiService, request: Request) -> str:
    keyword, _, key = request.headers.get("authorization", "").strip().partition(" ")
    key = key.strip()
    if keyword.lower() != "key" or not key:
        raise _Denied(_NO_CREDENTIALS)
    owner = owner_of(key)
    if " " in key or not service.accepts(owner):
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
        message = f"Invalid data. Expected a dictionary, but got {type(body).__name__}."
        raise Refused({"non_field_errors": [message]})
    return body


def _subject(request: Request, endpoint: str) -> str:
    """Return the order id or the pidx of a call, valid or not; "" without one."""
    try:
        body = _object(request)
    except (BadRequest, Refused):
        return ""
    return str(body.get("purchase_order_id" if endpoint == "initiate" else "pidx", ""))


def _initiate(call: _MerchantCall) -> Response:
    request = parse_initiate(call.body)
    payment = call.service.open(request, call.owner)
    answer = {
        "pidx": payment.pidx,
        "payment_url": call.root + _payment_path(call.service, payment),
        "expires_at": stamp(payment.expires_at),
        "expires_in": request.ttl or call.service.switches.link_lifetime,
    }
    return Response.json(call.service.faults.alter("initiate", payment, answer, call.service.clock()))


def _payment_path(service: KhaltiService, payment: Payment) -> str:
    if payment.bank:
        return f"/sct?pidx={payment.pidx}"
    if service.switches.old_payment_urls:
        return f"/?pidx={payment.pidx}"
    fields = {"pidx": payment.pidx, "return_url": payment.return_url, "mode": "wallet"}
    return f"/wallet/?{urlencode(fields, quote_via=quote)}"


def _lookup(call: _MerchantCall) -> Response:
    payment = _find_payment(call)
    if payment is None or payment.owner != call.owner:
        return _not_found(call)
    return _answer_lookup(call, "lookup", payment, _lookup_body(payment))


def _lookup_sdk(call: _MerchantCall) -> Response:
    """The lookup of Khalti's mobile SDK. It uses the public key, so any key is accepted here."""
    payment = _find_payment(call)
    if payment is None:
        return _not_found(call)
    more = {
        "purchase_order_id": payment.purchase_order_id,
        "purchase_order_name": payment.purchase_order_name,
        "extra_merchant_params": payment.merchant or None,
    }
    return _answer_lookup(call, "lookup-sdk", payment, {**_lookup_body(payment), **more})


def _detail(call: _MerchantCall) -> Response:
    payment = _find_payment(call)
    return _not_found(call) if payment is None else Response.json({"return_url": payment.return_url})


def _find_payment(call: _MerchantCall) -> Payment | None:
    if "pidx" not in call.body:
        raise Refused({"pidx": [REQUIRED]})
    return call.service.database.find(checked("pidx", call.body["pidx"], string))


def _not_found(call: _MerchantCall) -> Response:
    return Response.json(_NOT_FOUND, status=call.service.switches.unknown_pidx_code)


def _answer_lookup(call: _MerchantCall, endpoint: str, payment: Payment, body: dict[str, Any]) -> Response:
    status = 400 if payment.state in _LOOKUP_400 else 200
    return Response.json(call.service.faults.alter(endpoint, payment, body, call.service.clock()), status=status)


def _lookup_body(payment: Payment) -> dict[str, Any]:
    return {
        "pidx": payment.pidx,
        "total_amount": payment.amount,
        "status": payment.state.value,
        "transaction_id": payment.transaction_id,
        "fee": payment.fee,
        "refunded": payment.refunded > 0,
    }


def _refund(call: _MerchantCall) -> Response:
    payment, body = call.service.database.find_transaction(call.transaction_id), call.body
    if payment is None or payment.owner != call.owner:
        return Response.json(_NOT_FOUND, status=404)
    amount = checked("amount", body["amount"], integer) if "amount" in body else None
    if amount is not None and amount < 1:
        raise Refused({"amount": ["Ensure this value is greater than or equal to 1."]})
    if payment.bank and "mobile" not in body:
        raise Refused({"mobile": [REQUIRED]})
    if "mobile" in body and not re.fullmatch(r"9\d{9}", checked("mobile", body["mobile"], string)):
        raise Refused({"mobile": ["Enter a valid mobile number."]})
    try:
        call.service.refund(payment.pidx, amount)
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


_ENDPOINTS: dict[str, Callable[[_MerchantCall], Response]] = {
    "initiate": _initiate,
    "lookup": _lookup,
    "lookup-sdk": _lookup_sdk,
    "detail": _detail,
    "refund": _refund,
}
