"""pytest fixtures for shops that plug in, a shop that remembers, and the contract that every shop keeps.

In a ``conftest.py``: ``from loyalink_khalti.testing import fake_shop, khalti_simulator``. To prove a shop, subclass
``ShopContract`` beside its tests; to test what stands on the flow without a shop of one's own, use ``fake_shop``. The
flow commits by itself, so that its tests need ``@pytest.mark.django_db(transaction=True)``; the contract's do not.
"""

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import pytest
from django.db import IntegrityError, connection, transaction

from loyalink_khalti.contract import ShopContract, paid_for
from loyalink_khalti.errors import CannotPay, ShopCannot
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Customer, HostOrder, Line, Outcome, Paid, Why
from loyalink_khalti.simulator import Simulator

__all__ = ["BasketTaken", "FakeShop", "ShopContract", "fake_shop", "khalti_simulator", "paid_for"]


@pytest.fixture
def khalti_simulator() -> Iterator[Simulator]:
    """Khalti in miniature, listening on a port of its own for the length of one test."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def fake_shop(db: None, settings: Any) -> "FakeShop":  # noqa: ARG001 - it needs the database
    """A shop named ``fake`` with nothing sold yet; what it remembers is in the test's database."""
    from loyalink_khalti import conf  # not before the apps are ready

    chosen = getattr(settings, "LOYALINK_KHALTI", {})
    settings.LOYALINK_KHALTI = {**chosen, "SHOPS": {**chosen.get("SHOPS", {}), "fake": f"{__name__}.FakeShop"}}
    shop = conf.shop("fake")
    assert isinstance(shop, FakeShop)
    shop.open()
    return shop


class BasketTaken(CannotPay):
    """This basket is being paid for already."""


class FakeShop:
    """A host that remembers, in a table of its own: what a transaction rolls back has not happened here either.

    It keeps stock where a test sets ``stock``, and does as ``fail`` says.
    """

    local: ClassVar[bool] = True

    def __init__(self) -> None:
        self._failures: dict[str, deque[Exception]] = defaultdict(deque)

    def open(self) -> None:
        """Begin with no purchases and no stock kept."""
        self._failures.clear()
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS fake_shop (name varchar(200) PRIMARY KEY, told text NOT NULL)")
            cursor.execute("DELETE FROM fake_shop")

    # What a test sets and reads

    def fail(self, verb: str, *faults: Exception) -> None:
        """Let the next calls of a verb raise these, one each, after they have done their work."""
        self._failures[verb].extend(faults)

    def stock(self, **left: int) -> None:
        """Keep stock of these from now on; of anything else there is always enough."""
        for sku, number in left.items():
            self._write(f"stock {sku}", number)

    def left(self, sku: str) -> int:
        """How many can still be sold."""
        return int(self._read(f"stock {sku}"))

    @property
    def confirmed(self) -> list[tuple[str, int]]:
        """Every ``confirm`` that was committed: reference and paisa."""
        return [(ref, told[1]) for ref, told in self._told("confirm")]

    @property
    def released(self) -> list[tuple[str, str]]:
        """Every ``release`` that was committed: reference and why."""
        return [(ref, told[1]) for ref, told in self._told("release")]

    @property
    def given_to_shopper(self) -> list[bool]:
        """Of every ``release`` that was committed, whether the shopper was there."""
        return [told[2] for _, told in self._told("release")]

    @property
    def reversed(self) -> list[tuple[str, int, int]]:
        """Every ``reverse`` that was committed: reference, goods and shipping in paisa."""
        return [(ref, told[1], told[2]) for ref, told in self._told("reverse")]

    def cart(self, ref: str = "order-1", **changes: Any) -> Cart:
        """Rs 2,500 of goods in one line, sent for nothing; ``changes`` are fields of the Cart, or ``goods``."""
        goods = changes.pop("goods", 250_000)
        line = Line(sku="pen", title="Fountain pen", quantity=1, unit=Paisa(goods), total=Paisa(goods))
        fields: dict[str, Any] = {
            "origin": f"basket of {ref}",
            "site_key": "default",
            "language": "en",
            "name": f"Order {ref}",
            "lines": (line,),
            "shipping": 0,
            "discount": 0,
            "total": goods + changes.get("shipping", 0),
            "customer": Customer(name="Sita", email="sita@example.com", phone="9800000001"),
            "member_id": None,
            "spends": Points(0),
        }
        return Cart(shop="fake", ref=ref, **{**fields, **changes})

    def freeze(self, cart: Cart) -> Callable[[], Cart]:
        """What a checkout hands to ``begin``: takes the basket and its stock, or raises ``CannotPay``."""

        def take() -> Cart:
            try:
                with transaction.atomic():
                    self._insert(f"basket {cart.origin}", cart.ref)
            except IntegrityError as exc:
                raise BasketTaken("This basket is being paid for already.") from exc
            self._take(cart)
            self._insert(f"purchase {cart.ref}", {"cart": cart.to_json(), "state": "held", "paid": 0, "told": []})
            return cart

        return take

    # What the flow calls

    def confirm(self, ref: str, *, paid: Paid) -> str:
        purchase = self._purchase(ref)
        if purchase["state"] == "released":
            self._take(Cart.from_json(purchase["cart"]))
        purchase["state"], purchase["paid"] = "placed", max(purchase["paid"], paid.amount)
        purchase["worth"] = max(purchase.get("worth", 0), paid.worth)
        self._tell(ref, purchase, "confirm", paid.amount)
        return f"N-{ref}"

    def release(self, ref: str, *, why: Why, present: bool) -> None:
        purchase = self._purchase(ref)
        if purchase["state"] == "held":
            purchase["state"] = "released"
            cart = Cart.from_json(purchase["cart"])
            self._give_back((line.sku, line.quantity) for line in cart.lines)
            self._delete(f"basket {cart.origin}")
        self._tell(ref, purchase, "release", why.value, present)

    def reverse(
        self, ref: str, *, goods: Paisa, shipping: Paisa, lines: tuple[tuple[str, int], ...], key: str
    ) -> None:
        purchase = self._purchase(ref)
        if key in purchase.setdefault("reversed", {}):
            return
        purchase["reversed"][key] = goods + shipping
        self._give_back(lines)
        self._tell(ref, purchase, "reverse", goods, shipping, lines)

    def page_for(self, ref: str, outcome: Outcome, token: str) -> str:
        return f"/fake/{ref}/{outcome}/"

    def look(self, ref: str) -> HostOrder:
        purchase = self._purchase(ref)
        cart = Cart.from_json(purchase["cart"])
        return HostOrder(
            ref=ref,
            number=f"N-{ref}",
            member_id=cart.member_id,
            total=Paisa(cart.total - purchase.get("worth", 0)),
            paid=Paisa(purchase["paid"]),
            refunded=Paisa(sum(purchase.get("reversed", {}).values())),
            status=purchase["state"],
            placed=purchase["state"] == "placed",
        )

    def orders(self) -> Iterator[HostOrder]:
        return (self.look(ref) for ref, purchase in self._purchases() if purchase["state"] == "placed")

    def page_for_staff(self, ref: str) -> str:
        return f"/fake/orders/{ref}"

    def tags(self) -> dict[str, str]:
        return {"pens": "Pens", "paper": "Paper"}

    # Its memory

    def _take(self, cart: Cart) -> None:
        for line in sorted(cart.lines, key=lambda line: line.sku):  # in one order, whoever locks them
            left = self._read(f"stock {line.sku}")
            if left is not None and left < line.quantity:
                raise ShopCannot("sold_out", f"{line.title} is sold out.")
            if left is not None:
                self._write(f"stock {line.sku}", left - line.quantity)

    def _give_back(self, lines: Iterable[tuple[str, int]]) -> None:
        for sku, quantity in sorted(lines):
            left = self._read(f"stock {sku}")
            if left is not None:
                self._write(f"stock {sku}", left + quantity)

    def _purchase(self, ref: str) -> Any:
        purchase = self._read(f"purchase {ref}")
        if purchase is None:
            raise LookupError(f"the shop knows no {ref}")
        return purchase

    def _tell(self, ref: str, purchase: Any, verb: str, *what: Any) -> None:
        purchase["told"].append([verb, *what])
        self._write(f"purchase {ref}", purchase)
        if self._failures[verb]:
            raise self._failures[verb].popleft()

    def _told(self, verb: str) -> list[tuple[str, Any]]:
        return [(ref, told) for ref, purchase in self._purchases() for told in purchase["told"] if told[0] == verb]

    def _purchases(self) -> list[tuple[str, Any]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, told FROM fake_shop WHERE name LIKE %s ORDER BY name", ["purchase %"])
            return [(name.removeprefix("purchase "), json.loads(told)) for name, told in cursor.fetchall()]

    def _read(self, name: str) -> Any:
        """Read and, in a transaction, lock."""
        lock = " FOR UPDATE" if connection.in_atomic_block and connection.features.has_select_for_update else ""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT told FROM fake_shop WHERE name = %s{lock}", [name])  # noqa: S608 - one of two
            row = cursor.fetchone()
        return None if row is None else json.loads(row[0])

    def _insert(self, name: str, told: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO fake_shop (name, told) VALUES (%s, %s)", [name, json.dumps(told)])

    def _write(self, name: str, told: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE fake_shop SET told = %s WHERE name = %s", [json.dumps(told), name])
            written = cursor.rowcount
        if not written:
            self._insert(name, told)

    def _delete(self, name: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM fake_shop WHERE name = %s", [name])
