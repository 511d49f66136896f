"""The basket of a browser session: which pages a customer wants, how many of each, and its identity.

It has no prices: they are read from the live pages whenever the basket is shown or ordered. An order that is placed
takes out what it has bought, and what is left gets a new identity; after a release the basket is as it was.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeGuard
from uuid import uuid4

from django.http import HttpRequest
from django.utils.translation import gettext as _

from loyalink_khalti.errors import CannotPay
from loyalink_khalti.money import Paisa
from loyalink_khalti.staff.fields import MAXIMUM_PAISA

from .models import Order, OrderLine

SESSION_KEY = "loyalink_khalti_page"
MOST_ITEMS = 50
MOST_OF_ONE = 999
_TITLE_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A page in a basket. ``amount``, in paisa, is what the customer chose to pay, None for a page with a price."""

    page: int
    choice: str = ""
    quantity: int = 1
    amount: Paisa | None = None
    title: str = ""
    """The page's title when it was put into the basket, for a page that does not exist any more."""

    @property
    def key(self) -> str:
        """What names the item within its basket."""
        return f"{self.page}-{self.choice}-{'' if self.amount is None else self.amount}"


class SessionBasket:
    """The basket of a request's session. Each change is stored in the session at once."""

    def __init__(self, request: HttpRequest) -> None:
        self._session = request.session
        stored = self._session.get(SESSION_KEY)
        stored = stored if isinstance(stored, dict) else {}
        self.id: str = stored["id"] if isinstance(stored.get("id"), str) else ""
        self.items: list[Item] = _items(stored.get("items"))

    @property
    def count(self) -> int:
        """How many products there are in all, for a page's header; no query."""
        return sum(item.quantity for item in self.items)

    def add(self, item: Item) -> None:
        """Add a page, to the same choice and amount if that is there already. Raises ``CannotPay`` for too many."""
        self.forget_placed()
        same = next((each for each in self.items if each.key == item.key), None)
        if same is not None and item.amount is None:
            self.set_quantity(item.key, same.quantity + item.quantity)
            return
        if same is not None:  # an amount of their own is paid once, however often they click
            return
        if len(self.items) >= MOST_ITEMS:
            raise CannotPay(_("Your basket is full. Please order what is in it first."))
        _check_quantity(item.quantity)
        self._store([*self.items, replace(item, title=item.title[:_TITLE_LENGTH])])

    def set_quantity(self, key: str, quantity: int) -> None:
        """Set how many of an item are wanted; 0 removes it. Raises ``CannotPay`` for too many."""
        if quantity <= 0:
            self.remove(key)
            return
        _check_quantity(quantity)
        self._store([replace(each, quantity=quantity) if each.key == key else each for each in self.items])

    def remove(self, key: str) -> None:
        self._store([each for each in self.items if each.key != key])

    def clear(self) -> None:
        """Empty the basket and forget its identity."""
        self._store([], identity="")

    def forget_placed(self) -> None:
        """Take out what an order of this basket has bought, once it is placed. One query, none for an empty basket.

        For the pages of the basket and the checkout. What was added since stays, in a basket with a new identity.
        """
        order = Order.objects.placed().filter(basket=self.id).prefetch_related("lines").first() if self.id else None
        if order is None:
            return
        bought = {item.key: item.quantity for item in map(_as_item, order.lines.all())}
        left = [replace(item, quantity=item.quantity - bought.get(item.key, 0)) for item in self.items]
        self._store([item for item in left if item.quantity > 0], identity="")

    def restore(self, order: Order) -> None:
        """Put what a released order wanted to buy into an empty basket, for a session that has lost it."""
        if self.items:
            return
        items = [_as_item(line) for line in order.lines.all() if line.page_id is not None]
        self._store(items, identity=order.origin)

    def _store(self, items: list[Item], *, identity: str | None = None) -> None:
        self.items = items
        self.id = (self.id if identity is None else identity) or (str(uuid4()) if items else "")
        if items:
            self._session[SESSION_KEY] = {"id": self.id, "items": [asdict(item) for item in items]}
        else:
            self._session.pop(SESSION_KEY, None)


def _as_item(line: OrderLine) -> Item:
    """Return what an order's line was in the basket."""
    return Item(
        page=line.page_id or 0,
        choice=line.choice,
        quantity=line.quantity,
        amount=Paisa(line.unit) if line.is_free_amount else None,
        title=line.title,
    )


def _check_quantity(quantity: int) -> None:
    if not 0 < quantity <= MOST_OF_ONE:
        raise CannotPay(_("Please choose a quantity between 1 and %(most)s.") % {"most": MOST_OF_ONE})


def _items(stored: Any) -> list[Item]:
    """Return what a session has stored, without what cannot be an item."""
    rows: Iterable[Any] = stored[:MOST_ITEMS] if isinstance(stored, list) else ()
    return [item for item in map(read_item, rows) if item is not None]


def read_item(row: Any) -> Item | None:
    """Return data from outside as an item, None if it cannot be one."""
    if not isinstance(row, dict):
        return None
    page, choice, quantity = row.get("page"), row.get("choice", ""), row.get("quantity", 1)
    amount, title = row.get("amount"), str(row.get("title") or "")[:_TITLE_LENGTH]
    if not _is_whole(page, 1, 2**63 - 1) or not _is_whole(quantity, 1, MOST_OF_ONE):
        return None
    if not isinstance(choice, str) or len(choice) > 64 or "\0" in choice:
        return None
    if amount is not None and not _is_whole(amount, 0, MAXIMUM_PAISA):
        return None
    return Item(
        page=page, choice=choice, quantity=quantity, amount=None if amount is None else Paisa(amount), title=title
    )


def _is_whole(value: Any, least: int, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
