"""What a member bought."""

from dataclasses import dataclass

from loyalink_khalti.backoffice.links import order_url, payment_url
from loyalink_khalti.flow.holds import newest_payments
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Purchase

NEWEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """A purchase of a member; the links are "" where there is no such page."""

    purchase: Purchase
    order_url: str
    payment_url: str


def bought(account: Account, *, with_payments: bool) -> list[Bought]:
    """The newest purchases of a member; ``with_payments``: for somebody who may see them."""
    if account.member_id is None:
        return []
    mine = Purchase.objects.filter(member_id=account.member_id, site_key=account.program.site_key)
    purchases = list(mine.order_by("-created_at")[:NEWEST])
    payments = newest_payments(purchases) if with_payments else {}
    return [
        Bought(
            purchase=purchase,
            order_url=order_url(purchase),
            payment_url=payment_url(payments[purchase.pk].pk) if purchase.pk in payments else "",
        )
        for purchase in purchases
    ]
