"""One unit of each product of Oscar as a line, for what it earns: see ``shown_points.ShowsPoints``."""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Value
from django.http import HttpRequest
from oscar.core.loading import get_class, get_model

from loyalink_khalti.hosts.oscar import pricing
from loyalink_khalti.hosts.oscar.settings import CURRENCY, SHOP
from loyalink_khalti.ports import Line

from .products import prefetch_children


def unit_lines(
    products: Sequence[Any], *, request: HttpRequest | None, tags: Collection[str]
) -> list[Sequence[Line] | None]:
    """Return the lines of each product: of a parent one for each child that is for sale."""
    Product = get_model("catalogue", "Product")
    own = [each for each in products if isinstance(each, Product)]
    prefetch_children(own)
    named, strategy = named_tags(own, tags), strategy_of(request)
    return [
        _lines(each, strategy, named.get(each.parent_id or each.pk, ())) if isinstance(each, Product) else None
        for each in products
    ]


def strategy_of(request: HttpRequest | None) -> Any:
    """Return how this customer is priced; a page without Oscar's middleware shows the default prices."""
    return getattr(request, "strategy", None) or get_class("partner.strategy", "Selector")().strategy()


def _lines(product: Any, strategy: Any, tags: tuple[str, ...]) -> Sequence[Line]:
    variants = product.get_public_children() if product.is_parent else [product]
    return [line for each in variants if (line := _line(each, strategy.fetch_for_product(each), tags)) is not None]


def _line(product: Any, info: Any, tags: tuple[str, ...]) -> Line | None:
    """Return one unit of a product, None if it is not for sale, or for another currency."""
    price = info.price
    if not price.exists or not info.availability.is_available_to_buy or (price.currency or CURRENCY) != CURRENCY:
        return None
    amount = pricing.rounded((price.incl_tax if price.is_tax_known else price.excl_tax) or Decimal(0))
    return Line(sku=str(product.pk), title="", quantity=1, unit=amount, total=amount, tags=tags)


def named_tags(products: Iterable[Any], tags: Collection[str]) -> dict[int, tuple[str, ...]]:
    """Return which of the ``tags`` each product has, by its pk (of a child its parent's); one statement or none."""
    prefix = f"{SHOP}:"
    wanted = [int(tag.removeprefix(prefix)) for tag in tags if tag.startswith(prefix) and tag[len(prefix) :].isdigit()]
    owners = {each.parent_id or each.pk for each in products}
    if not wanted or not owners:
        return {}
    Category, through = get_model("catalogue", "Category"), get_model("catalogue", "ProductCategory")
    categories = Category.objects.filter(pk__in=wanted).order_by()
    assigned = through.objects.filter(product__in=owners).order_by()
    rows = categories.annotate(is_category=Value(1)).values_list("is_category", "pk", "path").union(
        assigned.annotate(is_category=Value(0)).values_list("is_category", "product", "category__path"), all=True
    )  # fmt: skip
    paths: dict[str, str] = {}
    found: dict[int, tuple[str, ...]] = {}
    of_products = []
    for is_category, pk, path in rows:
        if is_category:
            paths[path] = pricing.category_tag(pk)
        else:
            of_products.append((pk, path))
    for pk, path in of_products:
        own = (tag for above, tag in paths.items() if path.startswith(above))
        found[pk] = tuple({*found.get(pk, ()), *own})
    return found
