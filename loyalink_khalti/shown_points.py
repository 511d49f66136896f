"""The points on pages of a shop before any order: what a product or a basket earns, and what the customer has.

For the template tags and StreamField blocks of every host. A page never fails because of its points: what cannot be
computed is logged and not shown.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from django.db import connection, transaction
from django.http import HttpRequest

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Costs, Line

log = logging.getLogger(__name__)

T = TypeVar("T")
_KNOWN = "_loyalink_points_to_earn"
_MEMBER, _IS_MEMBER = "_loyalink_member", "_loyalink_is_member"


class ShowsPoints(Protocol):
    """What a Shop has besides, so that ``{% points_to_earn %}`` can say what its products and baskets earn."""

    def unit_lines(
        self, products: Sequence[Any], *, request: HttpRequest | None, tags: Collection[str]
    ) -> Sequence[Sequence[Line] | None]:
        """Return for each product what one unit of it would be as a line: of several choices a line for each.

        None for what is no product of this shop, and () for one that is not for sale. A line needs no other tags than
        those in ``tags``, which the rules name. The statements must not grow with the number of products.
        """

    def basket_costs(self, basket: Any, *, request: HttpRequest | None) -> Costs | None:
        """Return what a basket costs before points, None for what is no basket of this shop.

        Raises ``CannotPay`` where that cannot be said.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsToEarn:
    """What a product or an order earns."""

    points: Points = Points(0)
    is_order: bool = False
    """Of a whole order, with all its bonuses; otherwise of one unit, by its price alone."""
    or_more: bool = False
    """Whether another choice of the product earns more."""


NONE = PointsToEarn()


def member_id(request: HttpRequest | None) -> str | None:
    """Return the id of the member who is logged in, None for a guest; read once for each user of a request."""
    user = getattr(request, "user", None)
    if request is None or user is None:
        return None
    known: tuple[Any, str | None] | None = request.__dict__.get(_MEMBER)
    if known is None or known[0] is not user:
        known = request.__dict__[_MEMBER] = (user, str(user.pk) if user.is_authenticated else None)
    return known[1]


def site_key(request: HttpRequest | None) -> str:
    """Return the key of the site whose programme a page shows."""
    return conf.site_key() if request is None else conf.shown_site_key(request)


def standing(request: HttpRequest | None) -> flow.Standing | None:
    """Return how the customer of a page stands, None where that cannot be read; one statement for a page."""
    return _without_failing(lambda: flow.standing(site_key(request), member_id(request)), None)


def is_member(request: HttpRequest | None) -> bool:
    """Return whether the customer of a page earns points as a member: a guest, or one who has left, would."""
    of_member = member_id(request)
    if request is None or of_member is None:
        return False
    known: tuple[str, bool] | None = request.__dict__.get(_IS_MEMBER)
    if known is None or known[0] != of_member:
        who = standing(request)
        known = request.__dict__[_IS_MEMBER] = (of_member, who is not None and not who.left)
    return known[1]


def of_products(products: Sequence[Any], request: HttpRequest | None) -> list[PointsToEarn]:
    """Return what one unit of each product earns this customer; the statements do not grow with their number.

    A product is one of the shops in ``SHOPS``, or a ``ports.Line``. One that is unknown or not for sale earns nothing.
    What was computed for a product is kept for the rest of the request.
    """
    known = _known(request)
    missing = list({id(each): each for each in products if id(each) not in known}.values())
    if missing:
        computed = _without_failing(lambda: _of_products(missing, request), [NONE] * len(missing))
        known |= {id(each): (each, points) for each, points in zip(missing, computed, strict=True)}
    return [known[id(each)][1] for each in products]


def _known(request: HttpRequest | None) -> dict[int, tuple[Any, PointsToEarn]]:
    """Return what this request has computed for this customer: each product, which keeps its id, and its points."""
    if request is None:
        return {}
    by_member: dict[str | None, dict[int, tuple[Any, PointsToEarn]]] = request.__dict__.setdefault(_KNOWN, {})
    return by_member.setdefault(member_id(request), {})


def _of_products(products: Sequence[Any], request: HttpRequest | None) -> list[PointsToEarn]:
    who = flow.standing(site_key(request), member_id(request))
    if who.merged or who.rules.earn_paused:
        return [NONE] * len(products)
    lines = _unit_lines(products, request, who.rules.tags)
    points = iter(flow.unit_points(who, [line for of_one in lines for line in of_one]))
    return [_of_choices([next(points) for _line in of_one]) for of_one in lines]


def _of_choices(points: Sequence[Points]) -> PointsToEarn:
    return PointsToEarn(points=min(points), or_more=len(set(points)) > 1) if points else NONE


def _unit_lines(products: Sequence[Any], request: HttpRequest | None, tags: frozenset[str]) -> list[Sequence[Line]]:
    found: dict[int, Sequence[Line]] = {at: [each] for at, each in enumerate(products) if isinstance(each, Line)}
    for shop in _shops():
        rest = [at for at in range(len(products)) if at not in found]
        if not rest:
            break
        answers = shop.unit_lines([products[at] for at in rest], request=request, tags=tags)
        found |= {at: lines for at, lines in zip(rest, answers, strict=True) if lines is not None}
    return [found.get(at, ()) for at in range(len(products))]


def is_known(product: Any, request: HttpRequest | None) -> bool:
    """Return whether this request has computed what a product earns."""
    return id(product) in _known(request)


def unit_of(price: Paisa, tags: tuple[str, ...] = ()) -> Line:
    """Return one unit of something that costs ``price`` paisa, in the categories ``tags``."""
    return Line(sku="", title="", quantity=1, unit=price, total=price, tags=tags)


def to_earn(thing: Any, request: HttpRequest | None) -> PointsToEarn:
    """Return what a product or a line of one unit, a basket, or a ``flow.Quote`` earns; nothing for None."""
    if thing is None or thing == "":
        return NONE
    if isinstance(thing, flow.Quote):
        return PointsToEarn(points=thing.points_earned, is_order=True)
    if not isinstance(thing, Line) and not is_known(thing, request):
        of_basket = _without_failing(lambda: _of_basket(thing, request), None)
        if of_basket is not None:
            return of_basket
    return of_products([thing], request)[0]


def _of_basket(basket: Any, request: HttpRequest | None) -> PointsToEarn | None:
    for shop in _shops():
        try:
            costs = shop.basket_costs(basket, request=request)
        except CannotPay:
            return NONE
        if costs is not None:
            found = flow.order_points(site_key=site_key(request), member_id=member_id(request), costs=costs)
            return PointsToEarn(points=found, is_order=True)
    return None


def _shops() -> Iterable[ShowsPoints]:
    return [shop for shop in conf.shops().values() if hasattr(shop, "unit_lines")]  # type: ignore[misc]  # it has both


def _without_failing(read: Callable[[], T], otherwise: T) -> T:
    """Return what ``read`` returns, and ``otherwise`` where it fails: the rest of the page is shown."""
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            return read()
    except Exception as exc:
        log.error("a page shows no points: %s", exc, exc_info=exc)
        return otherwise
