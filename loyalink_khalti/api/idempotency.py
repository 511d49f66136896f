"""The same ``Idempotency-Key`` begins one purchase, also after a crash in between, and also by two requests at once.

The row of the key is committed first, and the reference of the purchase is written into it in the flow's transaction
that creates the purchase. The answer is not stored: it follows from the purchase, and so it is the same again. A
refusal holds nothing and frees the key. The header is that of the IETF's draft:
https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.crypto import salted_hmac

from loyalink_khalti import flow
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import PaymentState
from loyalink_khalti.ports import Cart

from .models import ApiRequest
from .problems import Kind, Problem

LIFE = timedelta(hours=24)
"""How long a key leads to the purchase that it began."""
LEASE = timedelta(seconds=60)
"""After this long, a request that has created no purchase has died, and another one may take its key."""
SWEPT = 50
"""How many keys that have ended one request deletes at most."""
TRIES = 3


class AlreadyBegun(CannotPay):
    """The purchase of this key exists: only the database's acknowledgement was lost, or another request has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to begin the purchase of one key."""

    pk: int
    lease: str

    def freeze(self, freeze: Callable[[], Cart]) -> Callable[[], Cart]:
        """Return ``freeze`` for the flow, so that the purchase and its key are committed together.

        The call raises ``AlreadyBegun`` besides.
        """

        def frozen() -> Cart:
            mine = ApiRequest.objects.filter(pk=self.pk, lease=self.lease, ref="")
            if mine.select_for_update().first() is None:
                raise AlreadyBegun
            cart = freeze()
            mine.update(shop=cart.shop, ref=cart.ref)
            return cart

        return frozen

    def free(self) -> None:
        """Let the key begin another purchase, unless it has begun one."""
        ApiRequest.objects.filter(pk=self.pk, lease=self.lease, ref="").delete()


def claim(*, scope: str, key: str, body: Mapping[str, Any]) -> Claim | Purchase:
    """Return the right to begin a purchase with this key of a caller, or the purchase that it has begun.

    Raises ``Problem``: the key was used with another body, or another request with it is in progress.
    """
    now = database_now()
    _sweep(now)
    key_hash, body_hash = _hash(f"{scope}\n{key}"), _hash(json.dumps(body, sort_keys=True))
    for _attempt in range(TRIES):
        lease = secrets.token_urlsafe(16)
        row, is_new = ApiRequest.objects.get_or_create(
            key_hash=key_hash, defaults={"body_hash": body_hash, "lease": lease, "started_at": now}
        )
        if is_new:
            return Claim(pk=row.pk, lease=lease)
        same = ApiRequest.objects.filter(pk=row.pk, lease=row.lease, ref=row.ref)
        if now - row.started_at >= LIFE:
            same.delete()
            continue
        purchase = _purchase_of(row) if row.ref else None
        if row.ref and purchase is None:
            same.delete()
            continue
        if row.body_hash != body_hash:
            raise Problem(Kind.KEY_REUSED)
        if purchase is not None:
            return purchase
        if now - row.started_at < LEASE:
            raise Problem(Kind.IN_PROGRESS, retry_after=1)
        if same.update(lease=lease, started_at=now):
            return Claim(pk=row.pk, lease=lease)
    raise Problem(Kind.IN_PROGRESS, retry_after=1)


def first_payment(purchase: Purchase) -> Payment | None:
    """Return the payment with which a purchase began; None for one without Khalti."""
    return purchase.payments.select_related("purchase").order_by("pk").first()


def _purchase_of(row: ApiRequest) -> Purchase | None:
    """Return the purchase of a key, None where Khalti has opened no page for it: its customer may try again.

    Raises ``Problem`` while Khalti may still open one.
    """
    purchase = Purchase.objects.filter(shop=row.shop, ref=row.ref).first()
    if purchase is None:
        return None
    payment = first_payment(purchase)
    if payment is None or payment.payment_url:
        return purchase
    flow.verify_payment(payment, customer_present=True)
    now = Payment.objects.get(pk=payment.pk)
    if now.state == PaymentState.CREATED:
        raise Problem(Kind.IN_PROGRESS, retry_after=2)
    return purchase if now.payment_url else None


def _sweep(now: datetime) -> None:
    ended = ApiRequest.objects.filter(started_at__lt=now - LIFE)
    pks = list(ended.order_by("pk").values_list("pk", flat=True)[:SWEPT])
    if pks:
        ended.filter(pk__in=pks).delete()


def _hash(text: str) -> str:
    return salted_hmac("loyalink_khalti.api.idempotency", text, algorithm="sha256").hexdigest()
