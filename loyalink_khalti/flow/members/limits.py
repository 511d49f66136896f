"""How many points one member of staff may move: in one action, of one member in a day, and of all members in a day.

An adjustment counts with the points that it adds or deducts, a merge with those that it brings to the account that
stays. A day is the last 24 hours, not a date, so that midnight begins no second limit.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Min, QuerySet, Sum
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.conf import formats
from loyalink_khalti.errors import AdjustmentLimitExceeded
from loyalink_khalti.loyalty.buckets import EntryKind
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.money import Points

LIMIT_PERIOD = timedelta(hours=24)


def enforce_adjust_limits(
    limits: conf.AdjustLimits, accounts: Sequence[Account], points: int, actor: str | None
) -> None:
    """Raise ``AdjustmentLimitExceeded``, with a message for staff, where an action of ``points`` exceeds a limit.

    Read ``limits`` with ``lock`` first, before the accounts are locked: of two actions at the same moment the second
    then counts the first.
    """
    if obstacle := adjust_limit_obstacle(limits, accounts, points, actor):
        raise AdjustmentLimitExceeded(obstacle)


def adjust_limit_obstacle(
    limits: conf.AdjustLimits, accounts: Sequence[Account], points: int, actor: str | None
) -> str:
    """Return which limit an action of ``points`` on these accounts exceeds, as a message for staff; "" for none."""
    points = abs(points)
    if limits.per_action is not None and points > limits.per_action:
        text = _("You may adjust up to %(limit)s points at once. Ask a colleague with permission for more.")
        return text % {"limit": formats.number(limits.per_action)}
    if limits.per_member is not None:
        used = _moved_by(actor, Entry.objects.filter(account__in=_with_merged(accounts)))
        if used + points > limits.per_member:
            return _day_message(
                _("You may adjust up to %(limit)s points of one member per day."), limits.per_member, used
            )
    if limits.per_actor is not None:
        used = _moved_by(actor, Entry.objects.filter(account__program=accounts[0].program_id))
        if used + points > limits.per_actor:
            return _day_message(
                _("You may adjust up to %(limit)s points of all members together per day."), limits.per_actor, used
            )
    return ""


def bulk_limit_obstacles(
    limits: conf.AdjustLimits, changes: Sequence[tuple[Account | None, int]], actor: str | None, program_id: int
) -> tuple[list[str], str]:
    """Return which limit each of several adjustments exceeds, and which one all of them together; "" for none.

    An account that is None is yet to be opened. The same statements for any number of changes.
    """
    text = _("You may adjust up to %(limit)s points at once. Ask a colleague with permission for more.")
    most = limits.per_action
    over = "" if most is None else text % {"limit": formats.number(most)}
    by_change = [over if most is not None and abs(points) > most else "" for _account, points in changes]
    accounts = [account for account, _points in changes if account is not None]
    if limits.per_member is not None:
        used = _moved_by_account(actor, accounts)
        for index, (account, points) in enumerate(changes):
            before = used.get(account.pk, 0) if account else 0
            if not by_change[index] and before + abs(points) > limits.per_member:
                by_change[index] = _day_message(
                    _("You may adjust up to %(limit)s points of one member per day."), limits.per_member, before
                )
    if limits.per_actor is not None and changes:
        used_in_all = _moved_by(actor, Entry.objects.filter(account__program=program_id))
        if used_in_all + sum(abs(points) for _account, points in changes) > limits.per_actor:
            whole = _("You may adjust up to %(limit)s points of all members together per day.")
            return by_change, _day_message(whole, limits.per_actor, used_in_all)
    return by_change, ""


def _moved_by_account(actor: str | None, accounts: Sequence[Account]) -> dict[int, int]:
    """Return the points that an actor has moved within ``LIMIT_PERIOD``, by account and all merged into it."""
    joined: set[int | None] = set(
        Account.objects.filter(successor__in=accounts).values_list("successor_id", flat=True)
    )
    roots = {pk: account.pk for account in accounts for pk in _own_and_merged(account, joined)}
    moved = Entry.objects.filter(kind__in=[EntryKind.ADJUST, EntryKind.MERGE_IN], actor=actor, account__in=roots)
    first = moved.filter(at__gt=DatabaseTime(-LIMIT_PERIOD)).aggregate(pk=Min("pk"))["pk"]
    used: dict[int, int] = {}
    if first is not None:
        sums = moved.filter(pk__gte=first).values_list("account").annotate(points=Sum("amount"))
        for pk, points in sums:
            used[roots[pk]] = used.get(roots[pk], 0) + points
    return used


def _own_and_merged(account: Account, joined: set[int | None]) -> Sequence[int]:
    return account.with_merged() if account.pk in joined else (account.pk,)


def _day_message(text: str, limit: Points, used: int) -> str:
    left = _("Left now: %(left)s. Ask a colleague with permission for more.")
    return f"{text} {left}" % {"limit": formats.number(limit), "left": formats.number(max(limit - used, 0))}


def _moved_by(actor: str | None, entries: "QuerySet[Entry]") -> int:
    """Return the points that an actor has moved within ``LIMIT_PERIOD``, among these entries.

    Entries are taken in the order in which they were written: one whose time is earlier than that of the entry before
    it (another server's clock is behind) counts with it.
    """
    moved = entries.filter(kind__in=[EntryKind.ADJUST, EntryKind.MERGE_IN], actor=actor)
    first = moved.filter(at__gt=DatabaseTime(-LIMIT_PERIOD)).aggregate(pk=Min("pk"))["pk"]
    return 0 if first is None else moved.filter(pk__gte=first).aggregate(points=Sum("amount"))["points"]


def _with_merged(accounts: Sequence[Account]) -> set[int]:
    """Return the keys of accounts and of all that were merged into them."""
    return {pk for account in accounts for pk in account.with_merged()}
