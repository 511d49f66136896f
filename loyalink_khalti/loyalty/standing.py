"""What a page of a shop must know of its customer, in one statement: the rules of now, their tier and their points."""

from dataclasses import dataclass

from django.db.models import FilteredRelation, OuterRef, Q, Sum
from django.db.models.expressions import Subquery
from django.db.models.functions import Coalesce

from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.returning import Given, Select

from .posting import overdue_lots
from .program import ProgramVersion, current_version, get_version
from .rules import Rules, points_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a customer stands in a programme. A guest, and a member without an account, has no points."""

    rules: Rules
    tier: str = ""
    """The stored name of the tier, "" for the lowest."""
    points: Points = Points(0)
    """Points that can be used; of a blocked account those that it would have."""
    blocked: bool = False
    merged: bool = False
    """Whether the account was merged into another: it has no points, and earns none."""
    left: bool = False
    """Whether the member has left the programme: like a guest."""

    @property
    def value(self) -> Paisa:
        """What the points take off an order, in paisa."""
        return points_value(self.rules, self.points)


def standing(site_key: str, member_id: str | None) -> Standing:
    """Return how a customer stands now; one statement, for a guest (None) too."""
    row = None if member_id is None else _STANDING.first(site_key=site_key, member_id=member_id)
    if row is None:
        return Standing(rules=current_version(site_key).rules)
    pk, created_at, tier, available, overdue, blocked, successor, left_at = row
    version = get_version(pk)
    rules = version.rules if version.created_at == created_at else current_version(site_key).rules
    if left_at is not None and successor is None:
        return Standing(rules=rules, left=True)
    return Standing(
        rules=rules,
        tier=tier or "",
        points=Points((available or 0) - overdue),
        blocked=bool(blocked) and successor is None,
        merged=successor is not None,
    )


def _overdue() -> Subquery:
    of_account = overdue_lots(OuterRef("own"), DatabaseTime()).order_by().values("account")
    return Subquery(of_account.annotate(points=Sum("remaining")).values("points"))


_STANDING = Select(
    ProgramVersion,
    lambda: (
        ProgramVersion.objects.annotate(
            own=FilteredRelation("program__accounts", condition=Q(program__accounts__member_id=Given("member_id")))
        )
        .filter(program__site_key=Given("site_key"), program__active=True)
        .annotate(overdue=Coalesce(_overdue(), 0))
        .order_by("-number")
        .values_list(
            "pk",
            "created_at",
            "own__tier",
            "own__available",
            "overdue",
            "own__blocked",
            "own__successor",
            "own__left_at",
        )[:1]
    ),
)
