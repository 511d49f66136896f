"""Stock rows: locked by pk, counted under the lock, and changed by the database's own arithmetic.

Oscar's ``allocate`` asks nobody whether there is anything left, and both it and ``cancel_allocation`` send
``post_save`` at once, on which stock alerts are mailed. Here the rows are changed in the flow's transaction and the
signal follows after commit.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db.models import F
from django.db.models.functions import Coalesce, Least
from oscar.core.loading import get_model

from loyalink_khalti import outbox
from loyalink_khalti.errors import ShopCannot


def lock(pks: Iterable[int]) -> dict[int, Any]:
    """Lock stock rows in the order of their pks, as everybody does."""
    rows = get_model("partner", "StockRecord").objects.select_for_update(of=("self",))
    return {row.pk: row for row in rows.filter(pk__in=set(pks)).order_by("pk")}


def allocate(wanted: "Counter[int]", rows: dict[int, Any]) -> None:
    """Set aside what is wanted of locked rows; whether there is enough was asked before."""
    _change({pk: quantity for pk, quantity in wanted.items() if rows[pk].can_track_allocations})


def take_again(order: Any) -> None:
    """Set aside once more what a released order had let go of, or raise ``ShopCannot("sold_out")``."""
    lines = list(order.lines.exclude(stockrecord=None))
    rows = lock(line.stockrecord_id for line in lines)
    wanted: Counter[int] = Counter()
    for line in lines:
        if rows[line.stockrecord_id].can_track_allocations:
            wanted[line.stockrecord_id] += line.quantity
    for pk, quantity in wanted.items():
        if rows[pk].net_stock_level < quantity:
            raise ShopCannot("sold_out", rows[pk].partner_sku)
    _change(dict(wanted))
    order.lines.update(num_allocated=F("quantity"), allocation_cancelled=False)


def let_go(order: Any) -> None:
    """Give back what was set aside for an order."""
    lines = list(order.lines.filter(num_allocated__gt=0, allocation_cancelled=False))
    rows = lock(line.stockrecord_id for line in lines if line.stockrecord_id)
    back: Counter[int] = Counter()
    for line in lines:
        if line.stockrecord_id in rows and rows[line.stockrecord_id].can_track_allocations:
            back[line.stockrecord_id] -= line.num_allocated
    _change(dict(back))
    order.lines.update(num_allocated=0, allocation_cancelled=True)


def bring_back(order: Any, lines: tuple[tuple[str, int], ...]) -> None:
    """Put returned goods, as (sku, quantity), back: free what was set aside, shelve what had been sent."""
    asked = Counter(dict.fromkeys((sku for sku, _ in lines), 0))
    for sku, quantity in lines:
        asked[sku] += quantity
    chosen = list(order.lines.filter(partner_sku__in=asked).select_for_update(of=("self",)).order_by("pk"))
    rows = lock(line.stockrecord_id for line in chosen if line.stockrecord_id)
    for line in chosen:
        quantity = min(asked[line.partner_sku], line.quantity)
        asked[line.partner_sku] -= quantity
        _return(line, quantity, rows)


def _return(line: Any, quantity: int, rows: dict[int, Any]) -> None:
    set_aside = 0 if line.allocation_cancelled else min(quantity, line.num_allocated or 0)
    row = rows.get(line.stockrecord_id)
    if set_aside:
        line.num_allocated -= set_aside
        line.allocation_cancelled = line.num_allocated == 0
        line.save(update_fields=["num_allocated", "allocation_cancelled"])
    if row is None or not row.can_track_allocations:
        return
    _change({row.pk: -set_aside})
    shelved = quantity - set_aside
    if shelved:
        type(row).objects.filter(pk=row.pk).update(num_in_stock=Coalesce(F("num_in_stock"), 0) + shelved)


def _change(by: dict[int, int]) -> None:
    rows = get_model("partner", "StockRecord").objects
    allocated = Coalesce(F("num_allocated"), 0)
    for pk, quantity in sorted(by.items()):
        after = allocated + quantity if quantity >= 0 else allocated - Least(allocated, -quantity)
        rows.filter(pk=pk).update(num_allocated=after)
    if by:
        outbox.post("loyalink_khalti.hosts.oscar.announce.stock_changed", pks=sorted(by))
