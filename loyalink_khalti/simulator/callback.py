"""The URLs that send the customer's browser back: the two variants of Khalti's callback, and broken ones.

Khalti signs no callback, so a shop must not trust one:
https://docs.khalti.com/khalti-epayment/#payment-success-callback
"""

import string
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from .payment import PAID, CallbackPlan, Payment, State, new_id


def return_urls(payment: Payment, plan: CallbackPlan) -> tuple[str, ...]:
    """Return the URLs that the browser opens, in order; none when the plan drops the callback."""
    if plan is CallbackPlan.DROP:
        return ()
    if plan is CallbackPlan.FORGED:
        return (_append(payment.return_url, _wallet_query(payment, forged=True)),)
    if plan is CallbackPlan.BARE:  # the documented failure callback of 2022 has no pidx
        return (_append(payment.return_url, "message=Could%20not%20process%20the%20payment."),)
    if plan is CallbackPlan.SERVER or payment.bank:
        # Khalti appends this even to a URL with a query.
        url = header_safe(f"{payment.return_url}/?{_server_query(payment)}")
    else:
        url = _append(payment.return_url, _wallet_query(payment))
    return (url, url) if plan is CallbackPlan.DOUBLE else (url,)


def masked(mobile: str) -> str:
    """Return a customer's Khalti ID as the callback masks it: 98XXXXX001."""
    return f"{mobile[:2]}XXXXX{mobile[-3:]}" if mobile else ""


def header_safe(url: str) -> str:
    """Return the URL with every character percent-encoded that a Location header does not allow."""
    return quote(url, safe=string.punctuation)


def _append(return_url: str, query: str) -> str:
    parts = urlsplit(return_url)
    return header_safe(urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query)))


def _status(payment: Payment) -> str:
    return State.COMPLETED.value if payment.state in PAID else payment.state.value


def _transaction(payment: Payment) -> str:
    return (payment.transaction_id or "") if payment.state in PAID else ""


def _wallet_query(payment: Payment, *, forged: bool = False) -> str:
    transaction = new_id() if forged else _transaction(payment)
    amount = payment.amount * 10 if forged else payment.amount
    fields = {
        "pidx": new_id() if forged else payment.pidx,
        "transaction_id": transaction,
        "tidx": transaction,
        **({"txnId": transaction} if transaction else {}),
        "amount": amount,
        "total_amount": amount,
        "mobile": masked(payment.mobile),
        "status": State.COMPLETED.value if forged else _status(payment),
        "purchase_order_id": payment.purchase_order_id,
        "purchase_order_name": payment.purchase_order_name,
    }
    return urlencode(fields, quote_via=quote)


def _server_query(payment: Payment) -> str:
    transaction = _transaction(payment)
    fields = {
        "status": _status(payment),
        "txn": transaction,
        "token": new_id(),
        "bank_reference": "None",
        "amount": payment.amount,
        "mobile": masked(payment.mobile),
        "transaction_id": transaction,
        "tidx": transaction,
        "total_amount": payment.amount,
        "purchase_order_id": payment.purchase_order_id,
        "purchase_order_name": payment.purchase_order_name,
        "pidx": payment.pidx,
        **payment.merchant,
    }
    return urlencode(fields)
