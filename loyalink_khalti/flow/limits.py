"""How far staff go by themselves; who may go further has a permission that faces ask for."""

from datetime import timedelta

from django.db.models import Sum
from django.utils import timezone

from loyalink_khalti import conf
from loyalink_khalti.loyalty.models import Account, Entry, Kind
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import RefundState

DAY = timedelta(hours=24)


def refund_is_beyond(purchase: Purchase, cash: Paisa) -> Paisa | None:
    """The limit in paisa that so much more cash of a purchase would pass, in whatever parts; None: none."""
    limit = conf.refund_limit(purchase.site_key)
    if limit is None or not cash:
        return None
    earlier = purchase.refunds.exclude(state=RefundState.REFUSED).aggregate(cash=Sum("cash"))["cash"] or 0
    return limit if earlier + cash > limit else None


def adjust_is_beyond(account: Account, points: int, by: str) -> Points | None:
    """The limit that an adjustment would pass, with what the same person moved there within a day; None: none.

    Points added and points taken count alike.
    """
    limit = conf.adjust_limit(account.program.site_key)
    if limit is None:
        return None
    mine = Entry.objects.filter(account=account, kind=Kind.ADJUST, actor=by, at__gt=timezone.now() - DAY)
    moved = mine.aggregate(points=Sum("amount"))["points"] or 0
    return limit if moved + abs(points) > limit else None
