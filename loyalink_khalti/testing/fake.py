"""A shop for tests of whatever uses the flow: all of a host, with nothing around it."""

import json
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django.core.checks import CheckMessage
from django.db import IntegrityError, connection

from loyalink_khalti import flow
from loyalink_khalti.errors import BasketTaken, ShopCannot
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Cart, Customer, HostOrder, Line, Outcome, Paid, ReleaseReason

from . import fake_basket

INSERT = "INSERT INTO fake_shop (name, value) VALUES (%s, %s)"


def _held(cart: Cart) -> dict[str, Any]:
    return {"cart": cart.to_json(), "state": "held", "paid": 0, "calls": []}


class FakeShop:
    """A host that records calls in a table of its own, so that a rollback undoes them too.

    It tracks the stock of products for which a test calls ``stock``, and fails where a test calls ``fail``.
    """

    local: ClassVar[bool] = True

    def __init__(self) -> None:
        self._failures: dict[str, deque[Exception]] = defaultdict(deque)
        self._facts: dict[str, flow.OrderFacts] = {}

    def reset(self) -> None:
        """Delete all purchases and stop tracking stock."""
        self._failures.clear()
        self._facts.clear()
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS fake_shop (name varchar(200) PRIMARY KEY, value text NOT NULL)")
            cursor.execute("DELETE FROM fake_shop")

    # For tests to set and read

    def fail(self, verb: str, *errors: Exception) -> None:
        """Let the next calls of a verb raise these errors, one each, after they have done their work."""
        self._failures[verb].extend(errors)

    def stock(self, **quantities: int) -> None:
        """Track the stock of these SKUs from now on; any other is never sold out."""
        for sku, quantity in quantities.items():
            self._write(f"stock {sku}", quantity)

    def left(self, sku: str) -> int:
        """Return how many can still be sold."""
        return int(self._read(f"stock {sku}"))

    def delete_order(self, ref: str) -> None:
        """Delete an order and nothing else, as somebody with a database client would."""
        self._delete(f"purchase {ref}")

    def ship(self, ref: str) -> None:
        """Let staff ship a placed order."""
        self._write(f"purchase {ref}", {**self._purchase(ref), "state": "shipped"})

    def knows(self, ref: str, facts: flow.OrderFacts) -> None:
        """Let ``order_facts`` return this of an order."""
        self._facts[ref] = facts

    def change_basket(self, ref: str) -> None:
        """Let the customer change the basket of a released purchase."""
        self._write(f"purchase {ref}", {**self._purchase(ref), "changed": True})

    @property
    def confirmed(self) -> list[tuple[str, int]]:
        """Every committed ``confirm``: reference and paisa."""
        return [(ref, call[1]) for ref, call in self._calls("confirm")]

    @property
    def released(self) -> list[tuple[str, str]]:
        """Every committed ``release``: reference and reason."""
        return [(ref, call[1]) for ref, call in self._calls("release")]

    @property
    def customer_was_present(self) -> list[bool]:
        """``customer_present`` of every committed ``release``."""
        return [call[2] for _, call in self._calls("release")]

    @property
    def refunded(self) -> list[tuple[str, int, int]]:
        """Every committed ``refund``: reference, products and delivery in paisa."""
        return [(ref, call[1], call[2]) for ref, call in self._calls("refund")]

    @property
    def received(self) -> list[tuple[str, int]]:
        """Every committed ``record_received``: reference and paisa."""
        return [(ref, call[1]) for ref, call in self._calls("record_received")]

    def cart(self, ref: str = "order-1", **changes: Any) -> Cart:
        """Return a Cart with one line of Rs 2,500 and free delivery; ``changes`` are fields of it, or ``subtotal``."""
        subtotal = changes.pop("subtotal", 250_000)
        unit = Paisa(subtotal)
        line = Line(id="pen", sku="pen", title="Fountain pen", quantity=1, unit=unit, total=unit)
        fields: dict[str, Any] = {
            "origin": f"basket of {ref}",
            "site_key": "default",
            "language": "en",
            "name": f"Order {ref}",
            "lines": (line,),
            "shipping": 0,
            "discount": 0,
            "total": subtotal + changes.get("shipping", 0),
            "customer": Customer(name="Sita", email="sita@example.com", phone="9800000001"),
            "member_id": None,
            "points_redeemed": Points(0),
        }
        return Cart(shop="fake", ref=ref, **{**fields, **changes})

    def freeze(self, cart: Cart) -> Callable[[], Cart]:
        """Return what a checkout passes to ``begin_payment``: it takes basket and stock, or raises ``CannotPay``."""

        def take() -> Cart:
            basket, purchase = f"basket {cart.origin}", f"purchase {cart.ref}"
            # No local variable has the Cart's values: an error page would print it.
            new = self._insert_new({basket: cart.ref, purchase: _held(cart)})
            if basket not in new:
                raise BasketTaken("Another payment has this basket already.")
            if purchase not in new:
                raise IntegrityError(f"there is a purchase {cart.ref} already")
            stock = self._take_stock(cart)
            return replace(cart, lines=tuple(replace(line, stock=stock[line.sku]) for line in cart.lines))

        return take

    # For the API to call

    def order_facts(self, purchases: Collection[Purchase]) -> Mapping[str, flow.OrderFacts]:
        return {each.ref: self._facts[each.ref] for each in purchases if each.ref in self._facts}

    def open_basket(self, request: Any, wanted: Any) -> fake_basket.FakeBasket:
        return fake_basket.open_basket(self, request, wanted)

    def basket_schema(self) -> Any:
        return fake_basket.SCHEMA

    # For the flow to call

    def confirm(self, ref: str, *, paid: Paid) -> str:
        purchase = self._purchase(ref)
        is_cancelled = bool(purchase.get("cancelled") and paid.amount)
        if purchase["state"] == "released" or is_cancelled:
            self._take_stock(Cart.from_json(purchase["cart"]))
        if is_cancelled:
            purchase["cancelled"], purchase["refunds"] = False, {}
        purchase["state"], purchase["paid"] = "placed", max(purchase["paid"], paid.amount)
        purchase["points_value"] = max(purchase.get("points_value", 0), paid.points_value)
        self._record(ref, purchase, "confirm", paid.amount)
        return f"N-{ref}"

    def record_received(self, ref: str, *, received: Paisa) -> None:
        purchase = self._purchase(ref)
        purchase["paid"] = received
        self._record(ref, purchase, "record_received", received)

    def release(self, ref: str, *, release_reason: ReleaseReason, customer_present: bool) -> None:
        purchase = self._read(f"purchase {ref}")
        if purchase is None:
            self._release_remains(ref)
            return
        if purchase["state"] == "held":
            purchase["state"] = "released"
            cart = Cart.from_json(purchase["cart"])
            self._restock((line.sku, line.quantity) for line in cart.lines)
            self._delete(f"basket {cart.origin}")
        self._record(ref, purchase, "release", release_reason.value, customer_present)

    def refund(
        self, ref: str, *, subtotal: Paisa, shipping: Paisa, lines: tuple[tuple[str, int], ...], key: str
    ) -> None:
        purchase = self._read(f"purchase {ref}")
        if purchase is None or key in purchase.setdefault("refunds", {}):
            return
        purchase["refunds"][key] = subtotal + shipping
        cart = Cart.from_json(purchase["cart"])
        total = cart.total - purchase.get("points_value", 0)
        purchase["cancelled"] = purchase["paid"] < total  # an unpaid order is refunded only to cancel it
        skus = {line.key: line.sku for line in cart.lines}
        self._restock((skus.get(line, line), quantity) for line, quantity in lines)
        self._record(ref, purchase, "refund", subtotal, shipping, lines)

    def reverse_refund(self, ref: str, *, key: str) -> None:
        purchase = self._read(f"purchase {ref}") or {}
        if purchase.get("refunds", {}).pop(key, None) is not None:
            self._record(ref, purchase, "reverse_refund", key)

    def customer_page(self, ref: str, outcome: Outcome, token: str) -> str:
        return f"/fake/{ref}/{outcome}/"

    def get_order(self, ref: str) -> HostOrder:
        purchase = self._read(f"purchase {ref}")
        if purchase is None:
            raise LookupError(f"the shop has no purchase {ref}")
        cart = Cart.from_json(purchase["cart"])
        return HostOrder(
            ref=ref,
            number=f"N-{ref}",
            member_id=cart.member_id,
            total=Paisa(cart.total - purchase.get("points_value", 0)),
            paid=Paisa(purchase["paid"]),
            refunded=Paisa(sum(purchase.get("refunds", {}).values())),
            status=purchase["state"],
            placed=purchase["state"] == "placed",
        )

    def placed_orders(self) -> Iterator[HostOrder]:
        return (self.get_order(ref) for ref, purchase in self._purchases() if purchase["state"] == "placed")

    def still_reserved(self, refs: Collection[str]) -> list[str]:
        with connection.cursor() as cursor:
            names = [f"purchase {ref}" for ref in refs]
            places = ", ".join(["%s"] * len(names)) or "NULL"
            cursor.execute(f"SELECT name, value FROM fake_shop WHERE name IN ({places})", names)  # noqa: S608
            purchases = {name.removeprefix("purchase "): json.loads(value) for name, value in cursor.fetchall()}
        return [ref for ref, each in purchases.items() if each.get("state") == "placed" and not each.get("refunds")]

    def missing_orders(self, refs: Collection[str]) -> list[str]:
        return [ref for ref in refs if self._read(f"purchase {ref}") is None]

    def is_basket_changed(self, ref: str) -> bool:
        return bool(self._purchase(ref).get("changed"))

    def staff_page(self, ref: str) -> str:
        return f"/fake/orders/{ref}"

    def staff_url_prefixes(self) -> tuple[str, ...]:
        return ("/fake/orders/",)

    def categories(self) -> dict[str, str]:
        return {"fake:1": "Pens", "fake:2": "Paper"}

    def check(self) -> Iterable[CheckMessage]:
        return ()

    # Its table

    def _take_stock(self, cart: Cart) -> dict[str, Any]:
        """Return how many there were of each product, None where its stock is not tracked."""
        wanted: dict[str, list[Line]] = defaultdict(list)
        for line in cart.lines:
            wanted[line.sku].append(line)
        before = {}
        for sku in sorted(wanted):  # all callers lock in one order
            left = before[sku] = self._read(f"stock {sku}")
            if left is None:
                continue
            left -= sum(line.quantity for line in wanted[sku])
            if left < 0:
                raise ShopCannot("sold_out", f"{wanted[sku][0].title} is sold out.")
            self._write(f"stock {sku}", left)
        return before

    def _restock(self, lines: Iterable[tuple[str, int]]) -> None:
        for sku, quantity in sorted(lines):
            left = self._read(f"stock {sku}")
            if left is not None:
                self._write(f"stock {sku}", left + quantity)

    def _purchase(self, ref: str) -> Any:
        purchase = self._read(f"purchase {ref}")
        if purchase is None:
            raise ShopCannot("order_missing", f"The shop has no order {ref}.")
        return purchase

    def _release_remains(self, ref: str) -> None:
        """Release the stock and the basket of an order that was deleted, once."""
        from loyalink_khalti.payments.models import Purchase  # not before the apps are ready

        stored = Purchase.objects.filter(shop="fake", ref=ref).values_list("cart", flat=True).first()
        cart = Cart.from_json(stored) if stored else None
        if cart is not None and self._read(f"basket {cart.origin}") == ref:
            self._restock((line.sku, line.quantity) for line in cart.lines)
            self._delete(f"basket {cart.origin}")

    def _record(self, ref: str, purchase: Any, verb: str, *arguments: Any) -> None:
        purchase["calls"].append([verb, *arguments])
        self._write(f"purchase {ref}", purchase)
        if self._failures[verb]:
            raise self._failures[verb].popleft()

    def _calls(self, verb: str) -> list[tuple[str, Any]]:
        return [(ref, call) for ref, purchase in self._purchases() for call in purchase["calls"] if call[0] == verb]

    def _purchases(self) -> list[tuple[str, Any]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, value FROM fake_shop WHERE name LIKE %s ORDER BY name", ["purchase %"])
            return [(name.removeprefix("purchase "), json.loads(value)) for name, value in cursor.fetchall()]

    def _read(self, name: str) -> Any:
        """Return a value, None if there is none; in a transaction, lock its row."""
        lock = " FOR UPDATE" if connection.in_atomic_block and connection.features.has_select_for_update else ""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT value FROM fake_shop WHERE name = %s{lock}", [name])  # noqa: S608 - one of two
            row = cursor.fetchone()
        return None if row is None else json.loads(row[0])

    def _insert(self, name: str, value: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [name, json.dumps(value)])

    def _insert_new(self, values: Mapping[str, Any]) -> set[str]:
        """Insert rows in one statement, except those that are there already; return the names of the new ones."""
        rows = [text for name, value in values.items() for text in (name, json.dumps(value))]
        with connection.cursor() as cursor:
            more = ", (%s, %s)" * (len(values) - 1)
            cursor.execute(f"{INSERT}{more} ON CONFLICT DO NOTHING RETURNING name", rows)
            return {name for (name,) in cursor.fetchall()}

    def _write(self, name: str, value: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE fake_shop SET value = %s WHERE name = %s", [json.dumps(value), name])
            written = cursor.rowcount
        if not written:
            self._insert(name, value)

    def _delete(self, name: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM fake_shop WHERE name = %s", [name])
