"""What rules or a change of points would do, computed before it is done. Writes nothing."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from django.utils import timezone

from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.ports import Line

from .earning import OrderSnapshot, order_history
from .models import Account, Lot
from .posting import overdue_points
from .program import current_version, get_version
from .purchases import award_row
from .redeemable import nearest_redeemable, points_fit
from .refunds import clawed_back_in_all, refunded_parts
from .rules import Rules, points_value
from .validation import reward_rate

EXAMPLE_POINTS = Points(500)
"""How many points an example redeems, or the nearest number that fits."""
_ENOUGH = Points(1_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPreview:
    """The balances of an account after a change; points are whole, ``points_value`` is paisa."""

    available_before: Points
    available: Points
    owed: Points
    points_value: Paisa
    pending: Points = Points(0)
    repaid: Points = Points(0)
    """Added points that repay a debt."""
    missing: Points = Points(0)
    """Points to be deducted that are not available."""
    expires_at: datetime | None = None
    """When added points expire; None for never."""


def preview_adjustment(account: Account, points: int) -> AccountPreview:
    """Return an account's balances after ``points`` are added or (negative) deducted. A debt is repaid first."""
    rules = current_version(account.program.site_key).rules
    before = account.available - overdue_points(account)
    repaid = min(max(points, 0), account.owed)
    available = Points(max(before + points - repaid, 0))
    return AccountPreview(
        available_before=Points(before),
        available=available,
        owed=Points(account.owed - repaid),
        points_value=points_value(rules, available),
        pending=Points(account.pending),
        repaid=Points(repaid),
        missing=Points(max(-points - before, 0)),
        expires_at=rules.expires_at(timezone.now()),
    )


def preview_merge(account: Account, into: Account) -> AccountPreview:
    """Return the balances of ``into`` after ``account`` is merged into it. Debts are netted."""
    rules = current_version(into.program.site_key).rules
    available, owed = account.available + into.available, account.owed + into.owed
    repaid = min(available, owed)
    return AccountPreview(
        available_before=Points(into.available),
        available=Points(available - repaid),
        owed=Points(owed - repaid),
        points_value=points_value(rules, Points(available - repaid)),
        pending=Points(account.pending + into.pending),
        repaid=Points(repaid),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePreview:
    """What erasing a member writes off, and what the members get back who were merged into them; whole points."""

    points: Points
    owed: Points
    reopened: tuple[tuple[Account, Points], ...]


def preview_erasure(account: Account) -> ErasurePreview:
    """Return what erasing the member of ``account`` would do to points; nothing where it was merged into another."""
    if account.has_ended:
        return ErasurePreview(points=Points(0), owed=Points(0), reopened=())
    filled = Lot.objects.filter(account=account).exclude(pending=0, remaining=0)
    left, reopened = {lot.pk: lot for lot in filled}, []
    for merged in account.merged.exclude(member_id=None).order_by("pk"):
        sources = set(merged.lots.values_list("source", flat=True))
        own = [left.pop(pk) for pk, lot in list(left.items()) if lot.source in sources]
        reopened.append((merged, Points(sum(lot.pending + lot.remaining for lot in own))))
    points = sum(lot.pending + lot.remaining for lot in left.values())
    return ErasurePreview(points=Points(points), owed=Points(account.owed), reopened=tuple(reopened))


def preview_award(
    *, site_key: str, purchase: str, order: OrderSnapshot, version_id: int | None = None
) -> tuple[Points, Points]:
    """Return what a purchase earns for a new member, and how much of it earlier refunds leave. Writes nothing."""
    version = get_version(version_id) if version_id else current_version(site_key)
    earned = order.earned(version.rules, history=order_history(None, version.rules))
    parts = refunded_parts(purchase, subtotal=order.subtotal, shipping=order.shipping)
    if not parts.refunded_subtotal + parts.refunded_shipping:
        return earned.points, earned.points
    return earned.points, Points(earned.points - clawed_back_in_all(award_row(version, earned), parts).points)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExample:
    """What an order of ``subtotal`` paisa on ``day`` earns and redeems under some rules; days are Nepal's."""

    subtotal: Paisa
    day: date
    earned: Points
    tiers: tuple[tuple[str, Points], ...]
    """What members of each tier above the lowest earn."""
    points_redeemed: Points
    """Points that can be redeemed on it, 0 where none fit."""
    points_value: Paisa
    available_from: date
    last_day: date | None
    """The last day on which the earned points can be redeemed; None for no end."""
    reward_rate: Fraction


def order_example(rules: Rules, *, subtotal: Paisa, at: datetime, tags: tuple[str, ...] = ()) -> OrderExample:
    """Return what an order of one line earns and redeems, computed as the ledger computes it."""
    order = example_order(subtotal, at=at, tags=tags)
    available_at = at + timedelta(days=rules.pending_days)
    expires_at = rules.expires_at(available_at)
    redeemed = _redeemable(rules, subtotal)
    return OrderExample(
        subtotal=subtotal,
        day=day_of(at),
        earned=order.earned(rules).points,
        tiers=tuple((tier.name, order.earned(rules, tier=tier.name).points) for tier in rules.tiers[1:]),
        points_redeemed=redeemed,
        points_value=points_value(rules, redeemed),
        available_from=day_of(available_at),
        last_day=day_of(expires_at - timedelta(seconds=1)) if expires_at else None,
        reward_rate=reward_rate(rules),
    )


def example_order(subtotal: Paisa, *, at: datetime, tags: tuple[str, ...] = ()) -> OrderSnapshot:
    """Return an order of one line with free delivery and without points."""
    line = Line(sku="example", title="Example", quantity=1, unit=subtotal, total=subtotal, tags=tags)
    return OrderSnapshot(lines=(line,), shipping=Paisa(0), discount=Paisa(0), points_value=Paisa(0), at=at)


def _redeemable(rules: Rules, subtotal: Paisa) -> Points:
    """``EXAMPLE_POINTS``, or the nearest number of points that fits."""
    if points_fit(rules, EXAMPLE_POINTS, total=subtotal, balance=_ENOUGH):
        return EXAMPLE_POINTS
    near = nearest_redeemable(rules, EXAMPLE_POINTS, total=subtotal, balance=_ENOUGH)
    return min(near, key=lambda points: abs(points - EXAMPLE_POINTS), default=Points(0))
