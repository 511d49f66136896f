"""What the parts of the contract share: what was paid for a Cart, the flow's calls, and changes of stock."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from django.db import transaction
from django.utils import timezone

from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, HostOrder, Paid, PaymentMethod, ReleaseReason, Shop

Stock = Callable[[], Mapping[str, int]]
"""The host's fixture ``stock``."""
CartWithPoints = tuple[Cart, Paisa]
"""The host's fixture ``cart_with_points``."""


def paid_for(
    cart: Cart,
    *,
    amount: Paisa | None = None,
    method: PaymentMethod = PaymentMethod.KHALTI,
    points_value: Paisa = Paisa(0),
) -> Paid:
    """Return what the flow passes to ``confirm`` for a Cart that is paid in full, or with ``amount`` in paisa."""
    return Paid(
        method=method,
        amount=Paisa(cart.total - points_value) if amount is None else amount,
        transaction_id="T1",
        at=timezone.now(),
        points=Points(cart.points_redeemed if points_value else 0),
        points_value=points_value,
    )


@contextmanager
def calling(verb: str) -> Iterator[None]:
    """Open a transaction for a call, as the flow does; say of an error that no shop may raise what follows from it."""
    try:
        with transaction.atomic():
            yield
    except ShopCannot:
        raise
    except Exception as exc:
        exc.add_note(
            f"The shop's {verb}() raised this. What it cannot do it must say by ShopCannot; after any other error the"
            " flow rolls back what the shop has done, and staff have to decide."
        )
        raise


def confirm(shop: Shop, cart: Cart, paid: Paid | None = None) -> str:
    """Confirm a purchase, as paid in full by Khalti if nothing else is said, in a transaction of its own."""
    with calling("confirm"):
        return shop.confirm(cart.ref, paid=paid or paid_for(cart))


def place_unpaid(shop: Shop, cart: Cart, method: PaymentMethod = PaymentMethod.COD) -> str:
    """Confirm a purchase whose money arrives later."""
    return confirm(shop, cart, paid_for(cart, amount=Paisa(0), method=method))


def release(
    shop: Shop, cart: Cart, *, reason: ReleaseReason = ReleaseReason.EXPIRED, customer_present: bool = False
) -> None:
    with calling("release"):
        shop.release(cart.ref, release_reason=reason, customer_present=customer_present)


def refund(
    shop: Shop,
    cart: Cart,
    *,
    subtotal: int = 0,
    shipping: int = 0,
    lines: tuple[tuple[str, int], ...] = (),
    key: str = "refund:1",
) -> None:
    """Record a refund, in paisa, in a transaction of its own."""
    with calling("refund"):
        shop.refund(cart.ref, subtotal=Paisa(subtotal), shipping=Paisa(shipping), lines=lines, key=key)


def reverse(shop: Shop, cart: Cart, *, key: str) -> None:
    with calling("reverse_refund"):
        shop.reverse_refund(cart.ref, key=key)


def cancel_unpaid(shop: Shop, cart: Cart) -> None:
    """Cancel an order that was placed unpaid, as staff do: a refund of nothing that restocks everything."""
    refund(shop, cart, lines=all_lines(cart), key="cancel")


def all_lines(cart: Cart) -> tuple[tuple[str, int], ...]:
    return tuple((line.key, line.quantity) for line in cart.lines)


def quantities(cart: Cart) -> dict[str, int]:
    """Return how many of each product the Cart has, by SKU."""
    found: Counter[str] = Counter()
    for line in cart.lines:
        found[line.sku] += line.quantity
    return dict(found)


def changes(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return by how many the stock of each product has changed, those that have not left out."""
    return {sku: after[sku] - before[sku] for sku in after if after[sku] != before[sku]}


def is_listed(shop: Shop, cart: Cart) -> bool:
    """Return whether the purchase is among the shop's placed orders."""
    return cart.ref in {order.ref for order in shop.placed_orders()}


def money(order: HostOrder) -> tuple[int, int, int]:
    """Return total, paid and refunded, in paisa."""
    return order.total, order.paid, order.refunded


def refusal(act: Callable[[], object]) -> ShopCannot | None:
    """Do something and return the ``ShopCannot`` that it raises, None if it raises nothing."""
    try:
        act()
    except ShopCannot as exc:
        return exc
    return None
