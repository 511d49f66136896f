"""Products as a page of Wagtail shows them: what each costs whoever looks, and the points that it earns."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest
from oscar.core.loading import get_class, get_model

from loyalink_khalti import conf
from loyalink_khalti.flow.would_earn import would_earn
from loyalink_khalti.money import Points
from loyalink_khalti.ports import Line

from . import pricing
from .options import CURRENCY

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A product on a page; ``amount`` is None where it has no price."""

    product: Any
    amount: Decimal | None
    currency: str
    is_for_sale: bool
    earns: Points = Points(0)

    @property
    def picture(self) -> Any:
        """Its first picture, None where it has none."""
        found = self.product.primary_image()
        return None if isinstance(found, dict) else found.original


def shown(chosen: Iterable[Any]) -> list[Any]:
    """Of chosen products those that the public may see today, in their order, with what a page asks of them."""
    wanted = [product.pk for product in chosen if product is not None]
    if not wanted:
        return []
    Product = get_model("catalogue", "Product")
    children = Product.objects.public().prefetch_related("stockrecords")
    found = Product.objects.browsable().base_queryset().prefetch_public_children(children).filter(pk__in=wanted)
    there = {product.pk: product for product in found}
    return [there[pk] for pk in wanted if pk in there]


def cards(chosen: Iterable[Any], request: HttpRequest | None) -> list[Card]:
    """Chosen products as cards; the number of queries does not grow with them."""
    priced = [_priced(product, _strategy(request)) for product in shown(chosen)]
    return [replace(card, earns=points) for card, points in zip(priced, _points(priced, request), strict=True)]


def _strategy(request: HttpRequest | None) -> Any:
    """How this shopper is priced; a page drawn without Oscar's middleware shows everybody's prices."""
    return getattr(request, "strategy", None) or get_class("partner.strategy", "Selector")().strategy()


def _priced(product: Any, strategy: Any) -> Card:
    info = strategy.fetch_for_parent(product) if product.is_parent else strategy.fetch_for_product(product)
    price = info.price
    amount = (price.incl_tax if price.is_tax_known else price.excl_tax) if price.exists else None
    return Card(
        product=product,
        amount=amount,
        currency=price.currency or CURRENCY,
        is_for_sale=bool(info.availability.is_available_to_buy and price.exists),
    )


def _points(cards: Sequence[Card], request: HttpRequest | None) -> list[Points]:
    """What each card's product earns; nothing where it is not for sale, earning is paused or the points are broken."""
    earning = [card for card in cards if card.is_for_sale and card.currency == CURRENCY]
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():  # for the rest of the page
            points = would_earn(site_key=conf.site_key(request), member_id=_member_id(request), lines=_lines(earning))
    except Exception as exc:
        log.error("no points are shown on a page: %s", exc, exc_info=exc)
        return [Points(0)] * len(cards)
    found = {card.product.pk: number for card, number in zip(earning, points, strict=True)}
    return [found.get(card.product.pk, Points(0)) for card in cards]


def _lines(cards: Sequence[Card]) -> list[Line]:
    tags = pricing.categories([card.product for card in cards])
    return [_line(card, tags.get(card.product.pk, ())) for card in cards]


def _line(card: Card, tags: tuple[str, ...]) -> Line:
    amount = pricing.rounded(card.amount or Decimal(0))
    return Line(
        sku=str(card.product.pk), title=card.product.get_title(), quantity=1, unit=amount, total=amount, tags=tags
    )


def _member_id(request: HttpRequest | None) -> str | None:
    return None if request is None or not hasattr(request, "user") else pricing.member_id(request)
