"""Orders as this host keeps them: what is recorded on each, how one is locked, and what it reserves.

Salesman (1.3) has no history of an order, no refunds and no stock. They are in the order's own JSON (``_extra``),
under ``RECORD``, where no customer writes: the freeze removes what a basket has there. Money that came in is in
Salesman's payments, as the shop expects it.

Rows are written by ``update``: Salesman's ``order.save()`` sends ``status_changed`` inside the transaction, and writes
every column that it has read before the lock.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from salesman.core.utils import get_salesman_model

from loyalink_khalti import outbox
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.hosts.common.checkout import new_order_number
from loyalink_khalti.money import Paisa, paisa, rupees
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.ports import PAID_LATER, Paid, ReleaseReason

from . import origins, stock
from .settings import SHOP, options

RECORD = "loyalink_khalti"
MISSING = "order_missing"
"""Why an order that was deleted can be neither placed nor paid: the reason of a Flag."""
RECEIVED = "received"
"""The ``transaction_id`` of the payment that says what has arrived in cash or by bank transfer."""
HELD, RELEASED, PLACED = "held", "released", "placed"


def rows() -> "QuerySet[Any]":
    found: QuerySet[Any] = get_salesman_model("Order")._default_manager.all()
    return found


def placed() -> "QuerySet[Any]":
    """Return the orders that this host has placed. Those of the shop's other methods are not ours to judge."""
    return rows().filter(**{f"_extra__{RECORD}__state": PLACED})


def generate_ref(_request: Any = None) -> str:
    """Return a reference that cannot be guessed. For ``SALESMAN_ORDER_REFERENCE_GENERATOR``.

    Salesman's own (1.3) counts: its references can be guessed, and two orders at once get the same one.
    """
    return new_order_number(options().number_prefix, is_taken=lambda number: rows().filter(ref=number).exists())


def record_of(order: Any) -> dict[str, Any]:
    """Return what is recorded on an order, {} for one that did not come through the flow."""
    found = (order._extra or {}).get(RECORD)
    return dict(found) if isinstance(found, Mapping) else {}


def save(order: Any, record: Mapping[str, Any], **fields: Any) -> None:
    """Write the record of a locked order, and these columns."""
    order._extra = {**order._extra, RECORD: dict(record)}
    order.extra = {name: value for name, value in order._extra.items() if name != "rows"}
    for name, value in fields.items():
        setattr(order, name, value)
    rows().filter(pk=order.pk).update(_extra=order._extra, date_updated=database_now(), **fields)


def set_status(order: Any, record: Mapping[str, Any], status: str, **fields: Any) -> None:
    """Write record and status of a locked order. Salesman's ``status_changed`` is sent after commit."""
    before = order.status
    if before != status:
        record = {**record, "since": {**record.get("since", {}), status: database_now().isoformat()}}
    save(order, record, status=status, **fields)
    if before != status:
        outbox.post("loyalink_khalti.hosts.salesman.events.status_changed", ref=order.ref, before=before, after=status)


def lock(ref: str) -> tuple[Any, Any]:
    """Lock an order's basket, then the order. Return both; the basket is None if it has been deleted.

    Raises ``ShopCannot("order_missing")`` if the order has been deleted.
    """
    origin = Purchase.objects.filter(shop=SHOP, ref=ref).values_list("origin", flat=True).first() or ""
    basket = lock_basket(origins.basket_pk(origin))
    order = rows().select_for_update(of=("self",)).filter(ref=ref).first()
    if order is None or not record_of(order):
        raise ShopCannot(MISSING, _("Order %(number)s was deleted in the shop.") % {"number": ref})
    return order, basket


def lock_basket(pk: int | None) -> Any:
    """Lock a basket and return it; None if there is none any more."""
    if pk is None:
        return None
    return get_salesman_model("Basket")._default_manager.select_for_update(of=("self",)).filter(pk=pk).first()


def add_note(order: Any, message: str) -> None:
    """Add a note for staff."""
    get_salesman_model("OrderNote")._default_manager.create(order_id=order.pk, message=message, public=False)


def note_release(order: Any, reason: ReleaseReason) -> None:
    add_note(order, f"Released unpaid ({reason}).")


# Money


def payments(order: Any) -> "QuerySet[Any]":
    found: QuerySet[Any] = get_salesman_model("OrderPayment")._default_manager.filter(order_id=order.pk)
    return found


def amount_paid(order: Any) -> Paisa:
    """Return what is recorded as paid, in paisa; Salesman's own ``amount_paid`` keeps what it has read first."""
    return Paisa(sum(paisa(amount) for amount in payments(order).values_list("amount", flat=True)))


def is_paid(order: Any) -> bool:
    return amount_paid(order) >= paisa(order.total)


def is_awaited(order: Any) -> bool:
    """Return whether the money of an order comes after it: cash or a bank transfer."""
    return record_of(order).get("method") in PAID_LATER


def record_paid(order: Any, paid: Paid) -> None:
    """Record what Khalti has captured; without an amount nothing."""
    if paid.amount:
        payments(order).get_or_create(
            order_id=order.pk,
            transaction_id=paid.transaction_id or paid.method.value,
            defaults={"amount": rupees(paid.amount), "payment_method": paid.method.value},
        )


def set_received(order: Any, received: Paisa) -> bool:
    """Record what has arrived so far, in paisa. Return whether that is new."""
    row = payments(order).filter(transaction_id=RECEIVED).first()
    before = paisa(row.amount) if row else 0
    if before == received:
        return False
    payments(order).update_or_create(
        order_id=order.pk,
        transaction_id=RECEIVED,
        defaults={"amount": rupees(received), "payment_method": str(record_of(order).get("method", ""))},
    )
    return True


# The customer

PERSONAL = ("email", "shipping_address", "billing_address")


def personal_data(ref: str) -> dict[str, Any]:
    """Return what an order keeps about its customer besides its Cart, {} for one that is gone."""
    order = rows().filter(ref=ref).first()
    if order is None:
        return {}
    extra = {name: value for name, value in order._extra.items() if name not in {RECORD, "rows"}}
    chosen = [item.extra for item in items(order) if item.extra]
    return {name: getattr(order, name) for name in PERSONAL} | {"extra": extra, "chosen": chosen}


def erase_personal_data(refs: Collection[str]) -> None:
    """Erase who ordered, and what they typed, in the caller's transaction; amounts, products and statuses stay."""
    for order in rows().select_for_update(of=("self",)).filter(ref__in=list(refs)).order_by("pk"):
        order._extra = {name: value for name, value in order._extra.items() if name in {RECORD, "rows"}}
        record = {name: value for name, value in record_of(order).items() if name != "member"}
        save(order, record, user=None, **dict.fromkeys(PERSONAL, ""))
        for item in items(order):
            item.extra = {}
            item.save(update_fields=["extra"])


# Stock


def items(order: Any) -> list[Any]:
    return list(get_salesman_model("OrderItem")._default_manager.filter(order_id=order.pk).order_by("pk"))


def line_key(item: Any) -> str:
    """Return the id of an item's line. It names the product too: an order that is deleted leaves only its Cart."""
    return f"{item.pk}/{item.product_type}:{item.product_id}"


def stock_of(key: str) -> stock.Key | None:
    """Return the stock row of a line, by its id."""
    label, _colon, pk = key.partition("/")[2].rpartition(":")
    return stock.key_of(label, int(pk)) if pk.isdigit() else None


def take_stock(order: Any, record: dict[str, Any]) -> None:
    """Reserve everything of an order. Raises ``ShopCannot("sold_out")``."""
    wanted = {line_key(item): item.quantity for item in items(order)}
    deleted = [item.name for item in items(order) if item.product is None]
    if deleted:
        raise ShopCannot("sold_out", ", ".join(deleted))
    stock.take(_per_row(wanted))
    record["reserved"] = wanted


def restock(record: dict[str, Any], lines: Mapping[str, int]) -> None:
    """Put back in stock what an order reserves of these lines, at most as many as it does."""
    reserved: dict[str, int] = dict(record.get("reserved", {}))
    returned = {key: min(number, reserved.get(key, 0)) for key, number in lines.items()}
    stock.lock(_per_row(returned))
    stock.change(_per_row(returned))
    record["reserved"] = {key: number - returned.get(key, 0) for key, number in reserved.items()}


def restock_all(record: dict[str, Any]) -> None:
    restock(record, record.get("reserved", {}))


def _per_row(lines: Mapping[str, int]) -> "Counter[stock.Key]":
    found: Counter[stock.Key] = Counter()
    for key, number in lines.items():
        row = stock_of(key)
        if row is not None and number:
            found[row] += number
    return found


def release_deleted(ref: str) -> None:
    """Put back in stock what an order reserved that was deleted while it was held; once, by its frozen Cart."""
    purchase = Purchase.objects.filter(shop=SHOP, ref=ref, state=PurchaseState.OPEN).first()
    if purchase is not None:
        lines: Counter[str] = Counter()
        for line in purchase.frozen_cart.lines:
            lines[line.key] += line.quantity
        restock({"reserved": lines}, lines)


# The basket


def remove_bought(basket: Any, order: Any) -> None:
    """Remove what was bought from the locked basket; what was added since stays.

    An empty one is kept: Salesman's checkout (1.3) fails with a second click if its basket is deleted meanwhile.
    """
    if basket is None:
        return
    bought = _contents(items(order))
    left = 0
    for item in get_salesman_model("BasketItem")._default_manager.filter(basket_id=basket.pk).order_by("pk"):
        remainder = max(item.quantity - bought[_what(item)], 0)
        bought[_what(item)] -= item.quantity - remainder
        left += remainder
        if not remainder:
            item.delete()
        elif remainder != item.quantity:
            item.quantity = remainder
            item.save(update_fields=["quantity"])
    if not left:
        basket.extra = {}
        basket.save(update_fields=["extra"])


def is_basket_changed(ref: str) -> bool:
    """Return whether the basket of a released order has other products by now. An order of the API has no basket."""
    origin = Purchase.objects.filter(shop=SHOP, ref=ref).values_list("origin", flat=True).first() or ""
    pk = origins.basket_pk(origin)
    order = rows().filter(ref=ref).first()
    if pk is None or order is None:
        return order is None
    inside = get_salesman_model("BasketItem")._default_manager.filter(basket_id=pk)
    return _contents(inside) != _contents(items(order))


def _contents(found: Iterable[Any]) -> "Counter[Any]":
    """Return how many of what items have."""
    contents: Counter[Any] = Counter()
    for item in found:
        contents[_what(item)] += item.quantity
    return contents


def _what(item: Any) -> Any:
    """Return what an item of a basket or of an order sells: a product with what was chosen for it."""
    chosen = sorted((name, repr(value)) for name, value in (item.extra or {}).items())
    return item.product_content_type_id, item.product_id, tuple(chosen)
