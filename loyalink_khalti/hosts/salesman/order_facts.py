"""What Salesman's order says for its receipt besides the Cart: prices before reductions, charges, its course."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import InvalidOperation
from typing import Any

from salesman.conf import app_settings

from loyalink_khalti import flow
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase

from . import orders
from .pricing import rounded
from .settings import options

POINTS_ROW = "loyalty-points"


def order_facts(purchases: Iterable[Purchase]) -> Mapping[str, flow.OrderFacts]:
    """Return the facts of these orders, by ``ref``: two statements, however many there are."""
    found = orders.rows().filter(ref__in=[purchase.ref for purchase in purchases]).prefetch_related("items")
    return {order.ref: _facts(order) for order in found}


def _facts(order: Any) -> flow.OrderFacts:
    chosen, record, items = options(), orders.record_of(order), list(order.items.all())
    rows = _charges(order.extra_rows)
    delivery = next((charge.title for name, charge in rows if name in chosen.shipping_rows), "")
    of_items = [charge for item in items for _name, charge in _charges(item.extra_rows)]
    others = [charge for name, charge in rows if name not in {*chosen.shipping_rows, POINTS_ROW}]
    return flow.OrderFacts(
        prices={orders.line_key(item): rounded(item.subtotal) for item in items},
        discounts=tuple(
            flow.Charge(title=charge.title, amount=Paisa(-charge.amount))
            for charge in (*of_items, *others)
            if charge.amount < 0
        ),
        delivery=delivery,
        surcharges=tuple(charge for charge in others if charge.amount > 0),
        status=str(dict(app_settings.SALESMAN_ORDER_STATUS.choices).get(order.status, order.status)),
        tracks_shipping=True,
        tracks_delivery=True,
        shipped_at=_since(record, chosen.shipped),
        delivered_at=_since(record, chosen.delivered),
    )


def _charges(rows: Sequence[Mapping[str, Any]] | None) -> list[tuple[str, flow.Charge]]:
    """Return the extra rows of an order or an item, each with its identifier."""
    found = []
    for row in rows or ():
        with suppress(InvalidOperation, TypeError, ValueError):  # a shop's own row may be any text
            charge = flow.Charge(title=str(row.get("label", "")), amount=rounded(row.get("amount")))
            found.append((str(row.get("modifier", "")), charge))
    return found


def _since(record: Mapping[str, Any], statuses: Iterable[str]) -> datetime | None:
    """Return when an order first got one of these statuses."""
    known: Mapping[str, str] = record.get("since", {})
    times = [datetime.fromisoformat(known[status]) for status in statuses if status in known]
    return min(times, default=None)
