"""Products as a page of Wagtail shows them: the price for this customer, and the points that a product earns."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest
from oscar.core.loading import get_class, get_model

from loyalink_khalti import conf, flow
from loyalink_khalti.hosts.oscar import pricing
from loyalink_khalti.hosts.oscar.settings import CURRENCY
from loyalink_khalti.money import Points
from loyalink_khalti.ports import Line

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A product on a page; ``amount`` is its price in rupees, None if it has none."""

    product: Any
    amount: Decimal | None
    currency: str
    is_for_sale: bool
    points: Points = Points(0)
    """Points that it earns."""

    @property
    def image(self) -> Any:
        """Its first image, None if it has none."""
        found = self.product.primary_image()
        return None if isinstance(found, dict) else found.original


def visible(chosen: Iterable[Any]) -> list[Any]:
    """Return those of the chosen products that are public today, in their order, with related rows prefetched."""
    wanted = [product.pk for product in chosen if product is not None]
    if not wanted:
        return []
    Product = get_model("catalogue", "Product")
    children = Product.objects.public().prefetch_related("stockrecords")
    found = Product.objects.browsable().base_queryset().prefetch_public_children(children).filter(pk__in=wanted)
    by_pk = {product.pk: product for product in found}
    return [by_pk[pk] for pk in wanted if pk in by_pk]


def cards(chosen: Iterable[Any], request: HttpRequest | None) -> list[Card]:
    """Return chosen products as cards. The number of queries does not grow with their number."""
    priced = [_priced(product, _strategy(request)) for product in visible(chosen)]
    return [replace(card, points=points) for card, points in zip(priced, _points(priced, request), strict=True)]


def _strategy(request: HttpRequest | None) -> Any:
    """Return how this customer is priced; a page without Oscar's middleware shows the default prices."""
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
    """Return the points that each product earns: 0 if it is not for sale, earning is paused or the points fail."""
    earning = [card for card in cards if card.is_for_sale and card.currency == CURRENCY]
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():  # for the rest of the page
            found = flow.points_for_lines(
                site_key=conf.site_key(request), member_id=_member_id(request), lines=_lines(earning)
            )
    except Exception as exc:
        log.error("a page shows no points: %s", exc, exc_info=exc)
        return [Points(0)] * len(cards)
    by_pk = {card.product.pk: points for card, points in zip(earning, found, strict=True)}
    return [by_pk.get(card.product.pk, Points(0)) for card in cards]


def _lines(cards: Sequence[Card]) -> list[Line]:
    tags = pricing.category_tags([card.product for card in cards])
    return [_line(card, tags.get(card.product.pk, ())) for card in cards]


def _line(card: Card, tags: tuple[str, ...]) -> Line:
    amount = pricing.rounded(card.amount or Decimal(0))
    return Line(
        sku=str(card.product.pk), title=card.product.get_title(), quantity=1, unit=amount, total=amount, tags=tags
    )


def _member_id(request: HttpRequest | None) -> str | None:
    return None if request is None or not hasattr(request, "user") else pricing.member_id(request)
