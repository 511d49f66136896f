"""Products as a page of Wagtail shows them: the price for this customer, and the points that a product earns."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from oscar.core.loading import get_model

from loyalink_khalti import shown_points
from loyalink_khalti.hosts.oscar.settings import CURRENCY
from loyalink_khalti.money import Points
from loyalink_khalti.shown_points import NONE, PointsToEarn

from .unit_lines import strategy_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A product on a page; ``amount`` is its price in rupees, None if it has none."""

    product: Any
    amount: Decimal | None
    currency: str
    is_for_sale: bool
    earns: PointsToEarn = NONE
    """What one unit of it earns."""

    @property
    def points(self) -> Points:
        """Points that it earns at least."""
        return self.earns.points

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
    priced = [_priced(product, strategy_of(request)) for product in visible(chosen)]
    earned = shown_points.of_products([card.product for card in priced], request)
    return [replace(card, earns=earns) for card, earns in zip(priced, earned, strict=True)]


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
