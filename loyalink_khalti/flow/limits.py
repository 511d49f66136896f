"""How much staff may give back by themselves; who may more has a permission that faces ask for."""

from django.db.models import Sum

from loyalink_khalti import conf
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import RefundState


def refund_is_beyond(purchase: Purchase, cash: Paisa) -> Paisa | None:
    """The limit in paisa that so much more cash of a purchase would pass, in whatever parts; None: none."""
    limit = conf.refund_limit(purchase.site_key)
    if limit is None or not cash:
        return None
    earlier = purchase.refunds.exclude(state=RefundState.REFUSED).aggregate(cash=Sum("cash"))["cash"] or 0
    return limit if earlier + cash > limit else None
