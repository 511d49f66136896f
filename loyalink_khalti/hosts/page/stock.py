"""How many of each product can be sold. Rows are locked in the order of their pks, always before they change.

A page that tracks stock without a row has nothing in stock: a copied page is a new product. Only staff make a row.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from loyalink_khalti.errors import LoyalinkError

from .models import Order, OrderStatus, Reservation, Stock

Key = tuple[UUID, str]
"""A product (a page's ``translation_key``) and the id of a choice, "" for a product without choices."""


class NotEnough(LoyalinkError):
    """There is less in stock than is wanted; ``key`` says of what, ``left`` how many there are."""

    def __init__(self, key: Key, left: int) -> None:
        super().__init__(f"{left} left")
        self.key, self.left = key, left


class StockChanged(LoyalinkError):
    """The stock is not what the colleague saw; ``str()`` is a sentence for them. Nothing has changed."""


def levels(keys: Iterable[Key]) -> dict[Key, int]:
    """Return how many can be sold of each; 0 where nothing is known. One query."""
    wanted = set(keys)
    if not wanted:
        return {}
    rows = Stock.objects.filter(product__in={product for product, _choice in wanted})
    found = {(row.product, row.choice): row.quantity for row in rows}
    return {key: found.get(key, 0) for key in wanted}


def take(wanted: Mapping[Key, int]) -> dict[Key, int]:
    """Take products out of stock, in the caller's transaction; all or none. Return how many there were of each.

    Raises ``NotEnough``.
    """
    rows = _lock(wanted)
    for key, quantity in wanted.items():
        left = rows[key].quantity if key in rows else 0
        if left < quantity:
            raise NotEnough(key, left)
    before = {key: rows[key].quantity for key in wanted}
    for key, quantity in wanted.items():
        rows[key].quantity -= quantity
    _save(rows, wanted)
    return before


def reserve(number: str, wanted: Mapping[Key, int]) -> dict[Key, int]:
    """Take products out of stock for a held order. Return how many there were of each. Raises ``NotEnough``."""
    before = take(wanted)
    rows = (
        Reservation(number=number, product=product, choice=choice, quantity=quantity)
        for (product, choice), quantity in wanted.items()
    )
    Reservation.objects.bulk_create(rows)
    return before


def keep_reserved(number: str) -> None:
    """End the reservation of an order that is placed now: what it took stays out of stock."""
    Reservation.objects.filter(number=number).delete()


def release(number: str) -> None:
    """Put what a held order has reserved back in stock, once, whether the order still exists or not."""
    rows = list(Reservation.objects.select_for_update(of=("self",)).filter(number=number))
    put_back({(row.product, row.choice): row.quantity for row in rows})
    keep_reserved(number)


def reserved_by(origin: str) -> dict[Key, int]:
    """Return what the held order of a basket reserves, by the basket's identity; {} where it is not being paid."""
    numbers = Order.objects.filter(basket=origin, status=OrderStatus.HELD).values("number")
    rows = Reservation.objects.filter(number__in=numbers) if origin else ()
    return {(row.product, row.choice): row.quantity for row in rows}


def put_back(returned: Mapping[Key, int]) -> None:
    """Put products back in stock, in the caller's transaction."""
    keys = [key for key, quantity in returned.items() if quantity]
    if not keys:
        return
    rows = _lock(keys)
    missing = [Stock(product=key[0], choice=key[1]) for key in keys if key not in rows]
    if missing:  # somebody has deleted the row
        Stock.objects.bulk_create(missing, ignore_conflicts=True)
        rows = _lock(keys)
    for key in keys:
        rows[key].quantity += returned[key]
    _save(rows, keys)


def set_level(key: Key, quantity: int, *, seen: int) -> None:
    """Set how many can be sold to what a colleague has counted, in the caller's transaction.

    ``seen`` is what their form showed. Raises ``StockChanged`` if customers have bought or returned some since.
    """
    Stock.objects.bulk_create([Stock(product=key[0], choice=key[1])], ignore_conflicts=True)
    row = _lock([key])[key]
    if row.quantity != seen:
        raise StockChanged(
            _("The stock has changed since this page was opened: there are %(left)s now. Please check and save again.")
            % {"left": row.quantity}
        )
    row.quantity = quantity
    row.save(update_fields=["quantity"])


def _lock(keys: Collection[Key]) -> dict[Key, Stock]:
    if not keys:
        return {}
    condition = reduce(or_, (Q(product=product, choice=choice) for product, choice in sorted(keys, key=str)))
    rows = Stock.objects.select_for_update(of=("self",)).filter(condition).order_by("pk")
    return {(row.product, row.choice): row for row in rows}


def _save(rows: Mapping[Key, Stock], keys: Collection[Key]) -> None:
    changed = [rows[key] for key in keys]
    if changed:
        Stock.objects.bulk_update(changed, ["quantity"])
