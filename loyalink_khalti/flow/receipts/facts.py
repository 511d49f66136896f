"""What a host knows of an order besides its Cart, for the receipt.

A Shop may have a method ``order_facts(purchases)`` that returns an `OrderFacts` for each of them, by ``ref``. Without
it the receipt says what the frozen Cart has: lines after discounts, and one price of the delivery.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, cast

from loyalink_khalti import conf
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A price or a discount with its name, in the reader's language; "" where it has none. ``amount`` in paisa."""

    title: str
    amount: Paisa


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """What the host's own order says. All of it may be left out. Amounts are paisa, with tax."""

    prices: Mapping[str, Paisa] = field(default_factory=dict)
    """What each line costs before offers and coupons, by ``Line.key``; {} where that is not known."""
    discounts: tuple[Charge, ...] = ()
    """Offers and coupons on the products, as amounts above 0."""
    delivery: str = ""
    """The name of the delivery method, in the reader's language."""
    is_pickup: bool = False
    """Whether the customer collects the order at the shop."""
    surcharges: tuple[Charge, ...] = ()
    """What the shop adds besides the delivery, as part of ``Cart.shipping``; points are none."""
    status: str = ""
    """The order's status as the shop calls it, in the reader's language."""
    tracks_shipping: bool = False
    """Whether the shop records that an order is shipped, or ready to be collected."""
    tracks_delivery: bool = False
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    bank_details: str = ""
    """Where to transfer the money to, if the host has a text of its own for that."""


NO_FACTS = OrderFacts()


class KnowsFacts(Protocol):
    """What a Shop has besides, so that its receipts say more than the Cart."""

    def order_facts(self, purchases: Collection[Purchase]) -> Mapping[str, OrderFacts]:
        """Return what is known of the orders of these purchases, by ``ref``; one that was deleted is left out."""


def facts_of(purchases: Iterable[Purchase]) -> dict[int, OrderFacts]:
    """Return the facts of purchases, by pk: one call for each shop that has any."""
    by_shop: dict[str, list[Purchase]] = {}
    for purchase in purchases:
        by_shop.setdefault(purchase.shop, []).append(purchase)
    shops, found = conf.shops(), dict[int, OrderFacts]()
    for name, rows in by_shop.items():
        shop = shops.get(name)
        if shop is not None and hasattr(shop, "order_facts"):
            known = cast(KnowsFacts, shop).order_facts(rows)
            found |= {row.pk: known[row.ref] for row in rows if row.ref in known}
    return found
