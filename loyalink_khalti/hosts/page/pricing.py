"""What the items of a basket cost now, and what is wrong with them. Amounts are in paisa."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotPay, SoldOut
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Line

from . import stock
from .basket import Item
from .product import Choice
from .products import category_pks, find_products
from .site_settings import SHOP


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedItem:
    """An item of a basket, as its live page sells it now."""

    item: Item
    page: Any
    """The page, None where it cannot be bought."""
    title: str
    options: str = ""
    sku: str = ""
    unit: Paisa = Paisa(0)
    tags: tuple[str, ...] = ()
    left: int | None = None
    """How many can be sold, None where stock is not tracked."""
    problem: str = ""
    """Why it cannot be ordered like this, "" if it can; a sentence for the customer."""
    is_sold_out: bool = False
    """Whether the problem is that there are not enough."""

    @property
    def total(self) -> Paisa:
        return Paisa(self.unit * self.item.quantity)

    @property
    def key(self) -> str:
        """What names the item within its basket."""
        return self.item.key

    @property
    def stock_key(self) -> stock.Key:
        return self.page.product, self.item.choice

    def check(self) -> None:
        """Raise ``SoldOut`` or ``CannotPay`` with the problem, if there is one."""
        if self.problem:
            raise (SoldOut if self.is_sold_out else CannotPay)(self.problem)

    def as_line(self, line_id: str = "", left: int | None = None) -> Line:
        """Return the item as a line of a Cart, without a problem."""
        return Line(
            id=line_id or self.key,
            sku=self.sku,
            title=self.title,
            options=self.options,
            quantity=self.item.quantity,
            unit=self.unit,
            total=self.total,
            tags=self.tags,
            earns=bool(self.page.earns_points),
            stock=self.left if left is None else left,
        )


def price(request: HttpRequest, items: Collection[Item], *, origin: str = "") -> list[PricedItem]:
    """Return the items with their prices and problems; the queries do not grow with the number of items.

    What the payment of this very basket reserves (``origin``) counts as left: it is not sold to others.
    """
    pages = find_products(request, (item.page for item in items))
    tags = {pk: tuple(map(category_tag, found)) for pk, found in category_pks(pages.values()).items()}
    priced = [_price(item, pages.get(item.page), tags.get(item.page, ())) for item in items]
    return _with_stock(priced, origin)


def category_tag(pk: int) -> str:
    return f"{SHOP}:{pk}"


def _price(item: Item, page: Any, tags: tuple[str, ...]) -> PricedItem:
    if page is None:
        title = item.title or _("This product")
        return PricedItem(
            item=item, page=None, title=title, problem=_("“%(title)s” is not for sale any more.") % {"title": title}
        )
    choices: list[Choice] = page.product_choices()
    choice = next((each for each in choices if each.id == item.choice), None)
    unit = choice.price if choice is not None else item.amount if page.free_amount else page.price
    return PricedItem(
        item=item,
        page=page,
        title=str(page.title),
        options=choice.title if choice is not None else "",
        sku=_sku(page, choice),
        unit=Paisa(unit or 0),
        tags=tags,
        problem=_problem(item, page, choice, has_choices=bool(choices), unit=unit),
    )


def _sku(page: Any, choice: Choice | None) -> str:
    """Return the SKU of the choice or the page. Where an editor has typed none: the product's identity, shortened."""
    if choice is not None and choice.sku:
        return choice.sku
    own = page.sku or f"page-{page.product.hex[:8]}"
    return f"{own}-{choice.id[:8]}" if choice is not None else own


def _problem(item: Item, page: Any, choice: Choice | None, *, has_choices: bool, unit: int | None) -> str:
    title = {"title": page.title}
    if has_choices and choice is None:
        if not item.choice:
            return _("Please choose one of the choices of “%(title)s”.") % title
        return _("“%(title)s” is not offered in that choice any more. Please choose again.") % title
    if item.choice and not has_choices:
        return _("“%(title)s” is not offered in that choice any more. Please choose again.") % title
    if page.free_amount and not has_choices:
        return _amount_problem(item, page)
    if not unit:  # an order of Rs 0 has nothing that could be refunded or cancelled
        return _("“%(title)s” is not for sale any more.") % title
    if item.amount is not None:
        return _("“%(title)s” has another price now. Please choose it again.") % title
    return ""


def _amount_problem(item: Item, page: Any) -> str:
    bounds = {"title": page.title, "least": npr(page.least_amount), "most": npr(page.most_amount)}
    if item.amount is None:
        return _("Please choose an amount for “%(title)s”.") % bounds
    if not page.least_amount <= item.amount <= page.most_amount:
        return _("For “%(title)s” please choose an amount from %(least)s to %(most)s.") % bounds
    if item.quantity != 1:
        return _("“%(title)s” can be paid once in an order.") % bounds
    return ""


def _with_stock(priced: list[PricedItem], origin: str) -> list[PricedItem]:
    """Add how many there are. Two items can sell from one stock: translations of a page share it."""
    tracked = [each for each in priced if each.page is not None and each.page.track_stock and not each.problem]
    levels = stock.levels(each.stock_key for each in tracked)
    wanted = wanted_stock(tracked)
    if any(levels[key] < quantity for key, quantity in wanted.items()):
        own = stock.reserved_by(origin)
        levels = {key: left + own.get(key, 0) for key, left in levels.items()}

    def with_stock(each: PricedItem) -> PricedItem:
        left = levels[each.stock_key]
        problem = sold_out_text(each.title, left) if left < wanted[each.stock_key] else ""
        return replace(each, left=left, problem=problem, is_sold_out=bool(problem))

    keys = {each.key for each in tracked}
    return [with_stock(each) if each.key in keys else each for each in priced]


def wanted_stock(priced: Iterable[PricedItem]) -> "Counter[stock.Key]":
    """Return how many of each tracked product the items take."""
    wanted: Counter[stock.Key] = Counter()
    for each in priced:
        if each.page is not None and each.page.track_stock:
            wanted[each.stock_key] += each.item.quantity
    return wanted


def sold_out_text(title: str, left: int) -> str:
    """Return what to say to a customer who wants more than is left."""
    if not left:
        return _("“%(title)s” is sold out.") % {"title": title}
    return _("Of “%(title)s” only %(left)s are left.") % {"title": title, "left": formats.number(left)}
