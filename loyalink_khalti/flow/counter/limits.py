"""How many points one colleague may give and redeem at the counter: in a sale, to one customer in a day, in all.

A sale counts with the points that it gives and those that it redeems. A day is the last 24 hours, as for adjustments;
a refund lowers nothing, because otherwise selling and refunding would never reach a limit.
"""

from django.db.models import F, Min, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.conf import formats
from loyalink_khalti.flow.members.limits import LIMIT_PERIOD
from loyalink_khalti.payments.counter_sales import CounterSale


def counter_limit_obstacle(limits: conf.AdjustLimits, sale: CounterSale) -> str:
    """Return which limit a sale, not saved yet, exceeds, as a message for staff; "" for none.

    Read ``limits`` with ``lock`` first: of two sales at the same moment the second then counts the first.
    """
    points = sale.points_earned + sale.points_redeemed
    if limits.per_action is not None and points > limits.per_action:
        text = _("You may give and redeem up to %(limit)s points in one sale; this one is %(points)s.")
        return _ask(text % {"limit": formats.number(limits.per_action), "points": formats.number(points)})
    of_site = CounterSale.objects.filter(site_key=sale.site_key, actor=sale.actor)
    if limits.per_member is not None:
        used = _moved(of_site.filter(_same_customer(sale)))
        if used + points > limits.per_member:
            text = _("You may give and redeem up to %(limit)s points of one customer per day. Left now: %(left)s.")
            return _ask(text % _figures(limits.per_member, used))
    if limits.per_actor is not None:
        used = _moved(of_site)
        if used + points > limits.per_actor:
            text = _("You may give and redeem up to %(limit)s points of all customers per day. Left now: %(left)s.")
            return _ask(text % _figures(limits.per_actor, used))
    return ""


def _ask(text: str) -> str:
    ask = _("Ask a colleague with permission for more.")
    return f"{text} {ask}"


def _figures(limit: int, used: int) -> dict[str, str]:
    return {"limit": formats.number(limit), "left": formats.number(max(limit - used, 0))}


def _same_customer(sale: CounterSale) -> Q:
    """The sales to the same member, or to the same address or number where there is no account yet."""
    if sale.member_id:
        return Q(member_id=sale.member_id) | Q(claimed_by=sale.member_id)
    return Q(email__iexact=sale.email) if sale.email else Q(phone=sale.phone)


def _moved(sales: "QuerySet[CounterSale]") -> int:
    """Return the points of the sales within ``LIMIT_PERIOD``, in the order in which they were written.

    A sale whose time is earlier than that of the one before it (another server's clock is behind) counts with it.
    """
    first = sales.filter(sold_at__gt=DatabaseTime(-LIMIT_PERIOD)).aggregate(pk=Min("pk"))["pk"]
    if first is None:
        return 0
    return int(sales.filter(pk__gte=first).aggregate(n=Sum(F("points_earned") + F("points_redeemed")))["n"] or 0)
