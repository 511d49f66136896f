"""How far staff go by themselves; who may go further has a permission that faces ask for."""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import RefundBeyondLimit
from loyalink_khalti.loyalty.models import Account, Entry, Kind
from loyalink_khalti.money import Paisa, Points, npr
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import RefundState

DAY = timedelta(hours=24)


def insist_on_refund_limit(purchase: Purchase, cash: Paisa) -> None:
    """Raise ``RefundBeyondLimit`` in words for staff where so much more cash would pass the limit; under its lock."""
    limit = refund_is_beyond(purchase, cash)
    if limit is not None:
        words = {"limit": npr(limit), "cash": npr(cash)}
        raise RefundBeyondLimit(
            _("You may give back up to %(limit)s of one order, and this is %(cash)s: ask a colleague who may.") % words
        )


def refund_is_beyond(purchase: Purchase, cash: Paisa) -> Paisa | None:
    """The limit in paisa that so much more cash of a purchase would pass, in whatever parts; None: none."""
    limit = conf.refund_limit(purchase.site_key)
    if limit is None or not cash:
        return None
    earlier = purchase.refunds.exclude(state=RefundState.REFUSED).aggregate(cash=Sum("cash"))["cash"] or 0
    return limit if earlier + cash > limit else None


def adjust_is_beyond(account: Account, points: int, by: str) -> Points | None:
    """The limit that an adjustment would pass, with what the same person moved there within a day; None: none.

    Points added and points taken count alike, also those on accounts that were merged into this one.
    """
    limit = conf.adjust_limit(account.program.site_key)
    return limit if limit is not None and moved_by(by, [account]) + abs(points) > limit else None


def merge_is_beyond(account: Account, into: Account, by: str) -> Points | None:
    """The limit that somebody's adjustments of two members would pass once they are one; None: none."""
    limit = conf.adjust_limit(account.program.site_key)
    return limit if limit is not None and moved_by(by, [account, into]) > limit else None


def moved_by(by: str, accounts: Sequence[Account]) -> int:
    """The points that somebody has moved by hand within a day on accounts, and on those merged into them."""
    family = frontier = {account.pk for account in accounts}
    while frontier:
        frontier = set(Account.objects.filter(successor__in=frontier).values_list("pk", flat=True))
        family = family | frontier
    mine = Entry.objects.filter(account__in=family, kind=Kind.ADJUST, actor=by, at__gt=timezone.now() - DAY)
    return mine.aggregate(points=Sum("amount"))["points"] or 0
