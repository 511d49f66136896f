"""What staff would do to a member's points, before they do it. Writes nothing."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from loyalink_khalti.money import Paisa, Points

from . import ledger, programmes, redeeming
from .expiry import expires_at
from .models import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """How an account would stand: ``repaid`` points set off what is owed, ``short`` are not there to be taken."""

    available_before: Points
    available: Points
    owed: Points
    worth: Paisa
    pending: Points = Points(0)
    repaid: Points = Points(0)
    short: Points = Points(0)
    expires_at: datetime | None = None
    """Of what is added; None for never."""


def adjusted(account: Account, points: int) -> Foreseen:
    """After so many points are added or (negative) taken by hand: a debt is repaid first."""
    rules = programmes.current(account.program.site_key).rules
    before = account.available - ledger.due_points(account)
    repaid = min(max(points, 0), account.owed)
    available = Points(max(before + points - repaid, 0))
    return Foreseen(
        available_before=Points(before),
        available=available,
        owed=Points(account.owed - repaid),
        worth=redeeming.worth(rules, available),
        pending=Points(account.pending),
        repaid=Points(repaid),
        short=Points(max(-points - before, 0)),
        expires_at=expires_at(timezone.now(), months=rules.valid_months, month_end=rules.month_end),
    )


def merged(account: Account, into: Account) -> Foreseen:
    """How the account that stays would stand after another is merged into it: debts net."""
    rules = programmes.current(into.program.site_key).rules
    available, owed = account.available + into.available, account.owed + into.owed
    repaid = min(available, owed)
    return Foreseen(
        available_before=Points(into.available),
        available=Points(available - repaid),
        owed=Points(owed - repaid),
        worth=redeeming.worth(rules, Points(available - repaid)),
        pending=Points(account.pending + into.pending),
        repaid=Points(repaid),
    )
