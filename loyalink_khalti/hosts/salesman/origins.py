"""Which basket a purchase comes from, as ``Cart.origin``: the basket's pk, and how often it has been bought before.

Salesman's baskets are used again: a member has one for life. Two purchases of one origin must contain the same
products, so a basket of which something is left after an order gets another origin.
"""

from itertools import count
from typing import Any

from loyalink_khalti.after_response import once_per_request
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState

from .settings import SHOP

CHUNK = 50


def origin_of(basket: Any) -> str:
    """Return the origin of what a basket contains now; one query, one more for each `CHUNK` orders before.

    It is read once for a request, and again under the lock of a basket.
    """
    return once_per_request(("salesman origin", basket.pk), lambda: _origin_of(basket))


def _origin_of(basket: Any) -> str:
    for start in count(step=CHUNK):
        origins = [f"{basket.pk}.{number}" for number in range(start, start + CHUNK)]
        placed = Purchase.objects.filter(shop=SHOP, origin__in=origins, state=PurchaseState.PLACED)
        bought = set(placed.values_list("origin", flat=True))
        if free := [origin for origin in origins if origin not in bought]:
            return free[0]
    raise AssertionError  # ``count`` does not end


def is_open(origin: str) -> bool:
    """Return whether a purchase of this origin is neither placed nor released."""
    return Purchase.objects.filter(shop=SHOP, origin=origin, state=PurchaseState.OPEN).exists()


def basket_pk(origin: str) -> int | None:
    """Return the pk of the basket, None where the purchase came from none of Salesman's."""
    pk = origin.partition(".")[0]
    return int(pk) if pk.isascii() and pk.isdigit() else None
