"""What points were worth when, and where the days and months of Kathmandu begin: what the reports share."""

from bisect import bisect_right
from collections import defaultdict
from datetime import UTC, date, datetime, time
from typing import TypeVar

from django.db.models import DateField, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, TruncMonth

from loyalink_khalti.money import Paisa

from .expiry import KATHMANDU
from .models import Account, Entry, Lot
from .programmes import ProgramVersion
from .rules import Rules

R = TypeVar("R", Entry, Lot, Account)
Rates = dict[int, list[tuple[datetime, int, int]]]
"""By programme: from when on so many paisa were given for so many points."""
_DEFAULT = Rules()


def rates(site_key: str | None) -> Rates:
    """All that held at any time, the oldest first."""
    versions = ProgramVersion.objects.order_by("number")
    if site_key is not None:
        versions = versions.filter(program__site_key=site_key)
    found: Rates = defaultdict(list)
    for program, since, value, per in versions.values_list(
        "program_id", "created_at", "stored__redeem_value", "stored__redeem_points"
    ):
        found[program].append((since, value or _DEFAULT.redeem_value, per or _DEFAULT.redeem_points))
    return found


def worth(known: Rates, program: int, at: datetime, points: int) -> Paisa:
    """What points of a programme were worth at a moment; by its first rules, where there were none yet."""
    held = known[program]
    _since, value, per = held[max(bisect_right(held, at, key=lambda rate: rate[0]) - 1, 0)]
    return Paisa(points * value // per)


def of_site(rows: "QuerySet[R]", site_key: str | None, program: str = "account__program") -> "QuerySet[R]":
    """The rows of one site, or of all."""
    return rows if site_key is None else rows.filter(**{f"{program}__site_key": site_key})


def midnight(day: date) -> datetime:
    """The beginning of a day in Kathmandu, in UTC."""
    return datetime.combine(day, time(), tzinfo=KATHMANDU).astimezone(UTC)


def month_of(moment: str | Combinable) -> Cast:
    """The first day of the month that it is in Kathmandu at a moment of a row."""
    return Cast(TruncMonth(moment, output_field=DateField(), tzinfo=KATHMANDU), DateField())
