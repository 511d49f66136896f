"""Points that are held for purchases, with the payments at Khalti that they wait for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q

from loyalink_khalti.loyalty.buckets import HoldState
from loyalink_khalti.loyalty.models import Account, Hold
from loyalink_khalti.payments.models import Payment, Purchase

MOST_HOLDS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPoints:
    """A hold with its purchase and the newest payment of that; None where there is none."""

    hold: Hold
    purchase: Purchase | None = None
    payment: Payment | None = None


def held_points(account: Account) -> list[HeldPoints]:
    """Return the active holds of an account, oldest first; three queries."""
    return with_payments(list(account.holds.filter(state=HoldState.ACTIVE).order_by("pk")[:MOST_HOLDS]))


def with_payments(holds: Sequence[Hold]) -> list[HeldPoints]:
    """Return holds with the newest payment of each one's purchase; two queries."""
    purchases = purchases_of(hold.purchase for hold in holds)
    payments = newest_payments(purchases.values())
    return [
        HeldPoints(hold=hold, purchase=purchase, payment=payments.get(purchase.pk) if purchase else None)
        for hold in holds
        for purchase in [purchases.get(hold.purchase)]
    ]


def purchases_of(keys: Iterable[str]) -> dict[str, Purchase]:
    """Return purchases by their keys in the ledger (``Purchase.key``); one query."""
    named = Q(pk__in=[])
    for key in set(keys) - {""}:
        shop, _, ref = key.partition(":")
        named |= Q(shop=shop, ref=ref)
    return {purchase.key: purchase for purchase in Purchase.objects.filter(named)}


def newest_payments(purchases: Iterable[Purchase]) -> dict[int, Payment]:
    """Return the newest payment of each purchase, by the purchase's pk; one query."""
    attempts = Payment.objects.filter(purchase__in=[purchase.pk for purchase in purchases]).order_by("attempt")
    return {payment.purchase_id: payment for payment in attempts}
