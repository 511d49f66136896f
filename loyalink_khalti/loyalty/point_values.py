"""What points were worth at any time, and the filters that all reports share."""

from bisect import bisect_right
from collections import defaultdict
from datetime import datetime
from typing import TypeVar

from django.db.models import DateField, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, TruncMonth

from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import KATHMANDU

from .models import Account, Entry, Lot
from .program import ProgramVersion
from .rules import Rules

R = TypeVar("R", Entry, Lot, Account)
PointValues = dict[int, list[tuple[datetime, int, int]]]
"""By programme: from a moment on, so many points were worth so many paisa (since, paisa, points)."""
_DEFAULT = Rules()


def all_point_values(site_key: str | None) -> PointValues:
    """Return all values that were ever in force, the oldest first; one query."""
    versions = ProgramVersion.objects.order_by("number")
    if site_key is not None:
        versions = versions.filter(program__site_key=site_key)
    found: PointValues = defaultdict(list)
    for program, since, value, per in versions.values_list(
        "program_id", "created_at", "stored__redeem_value", "stored__redeem_points"
    ):
        found[program].append((since, value or _DEFAULT.redeem_value, per or _DEFAULT.redeem_points))
    return found


def value_at(values: PointValues, program: int, at: datetime, points: int) -> Paisa:
    """Return what points were worth at a moment, in paisa; before the first rules, by the first rules."""
    own = values[program]
    _since, value, per = own[max(bisect_right(own, at, key=lambda row: row[0]) - 1, 0)]
    return Paisa(points * value // per)


def of_site(rows: "QuerySet[R]", site_key: str | None, program: str = "account__program") -> "QuerySet[R]":
    """Filter rows by site; None is all sites."""
    return rows if site_key is None else rows.filter(**{f"{program}__site_key": site_key})


def month_in_nepal(moment: str | Combinable) -> Cast:
    """Return an expression for the first day of the month, in Nepal, of a moment of a row."""
    return Cast(TruncMonth(moment, output_field=DateField(), tzinfo=KATHMANDU), DateField())
