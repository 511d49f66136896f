"""Which members get a notice that points expire soon: one notice per lot, however often this runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat

from loyalink_khalti.clock import database_now
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of

from .models import IdempotencyKey, Lot
from .posting import Posting
from .program import Program, current_version
from .rules import points_value
from .scheduled import in_batches

_LOT = "lot:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryNotice:
    """Points of one member that expire soon; ``last_day`` is the last day on which all of them can be redeemed."""

    site_key: str
    member_id: str
    points: Points
    points_value: Paisa
    last_day: date


def accounts_to_notify() -> Iterator[int]:
    """Yield the pks of accounts with points that expire within ``notice_days`` and that have had no notice yet."""
    for program in Program.objects.filter(active=True).order_by("pk"):
        yield from in_batches(lambda program=program: _not_notified(program).values_list("account_id", flat=True))  # type: ignore[misc]  # bound here


@transaction.atomic
def create_expiry_notice(account_id: int) -> ExpiryNotice | None:
    """Return a notice for a member, in whole points and paisa, and record it; None where there is none to send."""
    account = Posting.lock(account_id).account
    new = list(_not_notified(account.program).filter(account=account).values_list("pk", flat=True))
    if not new or account.member_id is None:
        return None
    scope = _scope(account.program)
    IdempotencyKey.objects.bulk_create(IdempotencyKey(scope=scope, key=f"{_LOT}{pk}") for pk in new)
    soon = list(_expiring(account.program).filter(account=account).order_by("expires_at"))
    points = Points(sum(lot.remaining for lot in soon))
    first = soon[0].expires_at
    assert first is not None
    return ExpiryNotice(
        site_key=account.program.site_key,
        member_id=account.member_id,
        points=points,
        points_value=points_value(current_version(account.program.site_key).rules, points),
        last_day=day_of(first - timedelta(seconds=1)),
    )


def _scope(program: Program) -> str:
    return f"{program.pk}:expiring"


def _expiring(program: Program) -> "QuerySet[Lot]":
    """Lots of members that expire soon; none where the rules switch notices off."""
    days, now = current_version(program.site_key).rules.notice_days, database_now()
    soon = Lot.objects.filter(remaining__gt=0, expires_at__gt=now, expires_at__lte=now + timedelta(days=days))
    return soon.filter(
        account__program=program, account__member_id__isnull=False, account__successor=None, account__blocked=False
    )


def _not_notified(program: Program) -> "QuerySet[Lot]":
    key = Concat(Value(_LOT), Cast(OuterRef("pk"), CharField()))
    notified = IdempotencyKey.objects.filter(scope=_scope(program), key=key)
    return _expiring(program).filter(~Exists(notified))
