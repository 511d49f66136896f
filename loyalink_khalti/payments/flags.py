"""Flags: what staff must review about a payment. Each is raised once; ``flag_entries`` keeps its earlier answers."""

import json
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F
from django.dispatch import Signal

from loyalink_khalti import telemetry
from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.khalti.wire import Lookup, Status

from .models import Flag, Payment
from .states import FlagReason

flag_raised = Signal()
"""Sent after commit when a Flag is raised, so that staff get an e-mail."""


def raise_flag(payment: Payment, reason: FlagReason, evidence: Mapping[str, Any]) -> None:
    """Raise a Flag, unless one with this reason is open or staff have resolved the last one with the same evidence."""
    shown = _as_stored(evidence)
    earlier = list(Flag.objects.filter(payment=payment, reason=reason))
    if any(flag.resolved_at is None for flag in earlier) or _last_by_staff(earlier) == shown:
        return
    Flag.objects.bulk_create([Flag(payment=payment, reason=reason, evidence=shown)], ignore_conflicts=True)
    transaction.on_commit(partial(_send_flag_raised, reason), robust=True)


def raise_site_flag(payment: Payment, reason: FlagReason, evidence: Mapping[str, Any]) -> None:
    """Raise one Flag for all payments of a site, or count one more in the open one; without money, that is enough.

    The Flag keeps the payment and the evidence of the first. Only a new Flag is mailed.
    """
    site_key, now = payment.purchase.site_key, DatabaseTime()
    open_flag = Flag.objects.filter(site_key=site_key, reason=reason, resolved_at=None)
    if open_flag.update(count=F("count") + 1, last_at=now):
        return
    flag = Flag(payment=payment, reason=reason, evidence=_as_stored(evidence), site_key=site_key, last_at=now)
    Flag.objects.bulk_create([flag], ignore_conflicts=True)
    transaction.on_commit(partial(_send_flag_raised, reason), robust=True)


def raise_unreadable_flag(payment: Payment, message: str, shape: str) -> None:
    """Raise one Flag of the site about an answer of lookup that cannot be read; ``shape`` has its keys and types.

    It is resolved when an answer about its payment is readable again. One that staff have closed is not raised again
    as long as the answers have the same shape.
    """
    evidence = {"khalti": message, "shape": shape}
    earlier = Flag.objects.filter(site_key=payment.purchase.site_key, reason=FlagReason.ANSWER_UNREADABLE)
    if _last_by_staff(earlier) != evidence:
        raise_site_flag(payment, FlagReason.ANSWER_UNREADABLE, evidence)


def was_resolved_by_staff(payment: Payment, reason: FlagReason, evidence: Mapping[str, Any]) -> bool:
    """Return whether staff have resolved the last Flag with this reason, and nothing in its evidence has changed."""
    return _last_by_staff(Flag.objects.filter(payment=payment, reason=reason)) == _as_stored(evidence)


def _last_by_staff(flags: Iterable[Flag]) -> dict[str, Any] | None:
    """Return the evidence of the Flag that staff resolved last; None without one."""
    resolved = [(flag.resolved_at, flag.pk, flag.evidence) for flag in flags if flag.resolved_at and flag.actor]
    return max(resolved)[2] if resolved else None


def _as_stored(evidence: Mapping[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(json.dumps(dict(evidence), default=str))
    return stored


def _send_flag_raised(reason: FlagReason) -> None:
    telemetry.count_flag(reason.value)
    flag_raised.send_robust(sender=Flag)


def resolve_flags(
    payment: Payment, reasons: Collection[FlagReason], resolution: str, *, actor: str | None = None, note: str = ""
) -> int:
    """Resolve a payment's open Flags with these reasons and return how many there were.

    ``actor`` is the pk of a user, None where they are resolved automatically. Flags about one refund stay open:
    ``refunds.resolve_flag`` resolves those together with the refund.
    """
    flags = Flag.objects.filter(payment=payment, reason__in=list(reasons), resolved_at=None)
    flags = flags.exclude(evidence__has_key="refund")
    fields = {"note": note} if note else {}
    return flags.update(resolved_at=DatabaseTime(), resolution=resolution, actor=actor, **fields)


def has_unrecorded_partial_refund(payment: Payment) -> bool:
    """Return whether Khalti reports a partial refund from its dashboard whose amount staff have not recorded yet."""
    flags = Flag.objects.filter(payment=payment, reason=FlagReason.REFUNDED_AT_KHALTI, resolved_at=None)
    return flags.filter(evidence__status__iexact=Status.PARTIALLY_REFUNDED.value).exists()


def lookup_evidence(answer: Lookup) -> dict[str, Any]:
    """Return what a Flag keeps of an answer of lookup; amounts in paisa."""
    return {
        "pidx": answer.pidx,
        "status": answer.status_text,
        "total_amount": answer.total_amount,
        "transaction_id": answer.transaction_id,
        "refunded": answer.refunded,
    }
