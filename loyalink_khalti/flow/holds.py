"""Points that are on hold for a purchase, with the payment at Khalti that they wait for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q

from loyalink_khalti.loyalty.models import Account, Hold
from loyalink_khalti.payments.models import Payment, Purchase

MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class OnHold:
    """A hold and what it waits for; ``payment`` is the newest attempt at Khalti, None where there is none."""

    hold: Hold
    purchase: Purchase | None = None
    payment: Payment | None = None


def on_hold(account: Account) -> list[OnHold]:
    """What is on hold of an account, oldest first; three statements for all."""
    return with_payments(list(account.holds.filter(state=Hold.State.ACTIVE).order_by("pk")[:MOST]))


def with_payments(holds: Sequence[Hold]) -> list[OnHold]:
    """Holds with the newest payment of each one's purchase."""
    purchases = purchases_of(hold.purchase for hold in holds)
    payments = newest_payments(purchases.values())
    return [
        OnHold(hold=hold, purchase=purchase, payment=payments.get(purchase.pk) if purchase else None)
        for hold in holds
        for purchase in [purchases.get(hold.purchase)]
    ]


def purchases_of(keys: Iterable[str]) -> dict[str, Purchase]:
    """Purchases by the names that the ledger has for them; one statement."""
    named = Q(pk__in=[])
    for key in set(keys) - {""}:
        shop, _, ref = key.partition(":")
        named |= Q(shop=shop, ref=ref)
    return {purchase.key: purchase for purchase in Purchase.objects.filter(named)}


def newest_payments(purchases: Iterable[Purchase]) -> dict[int, Payment]:
    """The newest attempt at Khalti of each purchase, by the purchase's pk; one statement."""
    attempts = Payment.objects.filter(purchase__in=[purchase.pk for purchase in purchases]).order_by("attempt")
    return {payment.purchase_id: payment for payment in attempts}
