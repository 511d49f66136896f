"""Who is to be told that points expire soon: of each lot once, however often this is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from loyalink_khalti.money import Paisa, Points

from . import programmes, redeeming
from .book import Book
from .expiry import day_of
from .models import IdempotencyKey, Lot
from .programmes import Program
from .sweeping import batched

_LOT = "lot:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringSoon:
    """Points of one member that expire soon; ``last_day`` is the last on which the first of them can be spent."""

    site_key: str
    member_id: str
    points: Points
    worth: Paisa
    last_day: date


def accounts_to_warn() -> Iterator[int]:
    """Accounts with points that expire within the days that their programme's rules name, and were not told of."""
    for program in Program.objects.filter(active=True).order_by("pk"):
        yield from batched(lambda program=program: _untold(program).values_list("account_id", flat=True))  # type: ignore[misc]  # bound here


@transaction.atomic
def warn(account_id: int) -> ExpiringSoon | None:
    """Note that a member is being told, and return of what; None where that has been done."""
    account = Book.locked(account_id).account
    told = list(_untold(account.program).filter(account=account).values_list("pk", flat=True))
    if not told or account.member_id is None:
        return None
    scope = _scope(account.program)
    IdempotencyKey.objects.bulk_create(IdempotencyKey(scope=scope, key=f"{_LOT}{pk}") for pk in told)
    soon = list(_expiring(account.program).filter(account=account).order_by("expires_at"))
    points = Points(sum(lot.remaining for lot in soon))
    first = soon[0].expires_at
    assert first is not None
    rules = programmes.current(account.program.site_key).rules
    return ExpiringSoon(
        site_key=account.program.site_key,
        member_id=account.member_id,
        points=points,
        worth=redeeming.worth(rules, points),
        last_day=day_of(first - timedelta(seconds=1)),
    )


def _scope(program: Program) -> str:
    return f"{program.pk}:expiring"


def _expiring(program: Program) -> "QuerySet[Lot]":
    """Lots of members that expire soon; of none, where the rules want nobody told."""
    days, now = programmes.current(program.site_key).rules.notice_days, timezone.now()
    soon = Lot.objects.filter(remaining__gt=0, expires_at__gt=now, expires_at__lte=now + timedelta(days=days))
    return soon.filter(
        account__program=program, account__member_id__isnull=False, account__successor=None, account__frozen=False
    )


def _untold(program: Program) -> "QuerySet[Lot]":
    key = Concat(Value(_LOT), Cast(OuterRef("pk"), CharField()))
    told = IdempotencyKey.objects.filter(scope=_scope(program), key=key)
    return _expiring(program).filter(~Exists(told))
