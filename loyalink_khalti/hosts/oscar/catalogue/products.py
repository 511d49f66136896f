"""The shop's products as staff choose among them: found by title, UPC or SKU, with price, stock and a thumbnail."""

import logging
from collections.abc import Iterable
from typing import Any

from django.db.models import Prefetch, Q, QuerySet, prefetch_related_objects
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from oscar.core.loading import get_model
from oscar.core.thumbnails import get_thumbnailer
from oscar.templatetags.currency_filters import currency

log = logging.getLogger(__name__)

THUMBNAIL_SIZE = "96x96"
MOST_TERMS = 8
"""How many words of a search are read; here and in the shop's own search."""


def public() -> "QuerySet[Any]":
    """Return what a page may show: public products and parents, never a child by itself."""
    products: QuerySet[Any] = get_model("catalogue", "Product").objects.browsable().select_related("product_class")
    return products.prefetch_related("stockrecords", "children__stockrecords", "images")


def prefetch_children(products: Iterable[Any]) -> None:
    """Read the public children of all parents at once, where Oscar's strategy, templates and badges find them."""
    missing = [each for each in products if each.is_parent and not hasattr(each, _CHILDREN)]
    if missing:
        children = get_model("catalogue", "Product").objects.public().select_related("product_class")
        children = children.prefetch_related("stockrecords")
        prefetch_related_objects(missing, Prefetch("children", queryset=children, to_attr=_CHILDREN))


_CHILDREN = "_prefetched_public_children"
"""Where Oscar 4.2 looks for them (``Product.get_public_children``)."""


def find(products: "QuerySet[Any]", typed: str) -> "QuerySet[Any]":
    """Return the product whose UPC or SKU was typed or scanned; otherwise those that contain all the words."""
    exact = {*_owners("Product", upc=typed), *_owners("StockRecord", partner_sku=typed)}
    if exact and (found := products.filter(pk__in=exact)).exists():
        return found
    for term in typed.split()[:MOST_TERMS]:
        products = products.filter(
            Q(title__icontains=term)
            | Q(pk__in=_owners("Product", upc__istartswith=term))
            | Q(pk__in=_owners("StockRecord", partner_sku__istartswith=term))
        )
    return products


def _owners(model: str, **lookup: str) -> Any:
    """Return the pks of the products that a page shows for these rows: for a child, or a child's stock, its parent."""
    if model == "Product":
        rows, shown = get_model("catalogue", "Product").objects, Coalesce("parent_id", "pk")
    else:
        rows, shown = get_model("partner", "StockRecord").objects, Coalesce("product__parent_id", "product_id")
    return rows.filter(**lookup).annotate(shown=shown).values_list("shown", flat=True)


def stock_records(product: Any) -> list[Any]:
    """Return a product's stock records, or those of its children."""
    owners = product.children.all() if product.is_parent else [product]
    return [record for owner in owners for record in owner.stockrecords.all()]


def price(product: Any) -> str:
    """Return the price as text, of several the lowest; "" if there is none."""
    records = sorted((each for each in stock_records(product) if each.price is not None), key=lambda each: each.price)
    if not records:
        return ""
    lowest = currency(records[0].price, records[0].price_currency)
    has_several = records[0].price != records[-1].price
    return _("from %(price)s") % {"price": lowest} if has_several else str(lowest)


def stock(product: Any) -> str:
    """Return how many can be sold, as text."""
    if not product.get_product_class().track_stock:
        return _("not tracked")
    left = sum(record.net_stock_level for record in stock_records(product))
    return str(left) if left > 0 else _("sold out")


def thumbnail_url(product: Any) -> str:
    """Return the address of a thumbnail, "" if there is no image or it cannot be read."""
    image = product.primary_image()
    if isinstance(image, dict):  # Oscar's placeholder
        return ""
    try:
        return str(get_thumbnailer().generate_thumbnail(image.original, size=THUMBNAIL_SIZE, crop="center").url)
    except Exception as exc:  # noqa: BLE001 - a missing or broken file must not prevent choosing the product
        log.warning("no thumbnail of product %s: %s", product.pk, exc)
        return ""
