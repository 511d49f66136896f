"""The shop's goods as staff choose among them: found by title, UPC or SKU, with price, stock and a small picture."""

import logging
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from oscar.core.loading import get_model
from oscar.core.thumbnails import get_thumbnailer
from oscar.templatetags.currency_filters import currency

log = logging.getLogger(__name__)

PICTURE = "96x96"
_MOST_WORDS = 8


def public() -> "QuerySet[Any]":
    """What a page may show: public products and parents, never a child by itself."""
    products: QuerySet[Any] = get_model("catalogue", "Product").objects.browsable().select_related("product_class")
    return products.prefetch_related("stockrecords", "children__stockrecords", "images")


def find(products: "QuerySet[Any]", typed: str) -> "QuerySet[Any]":
    """The product whose UPC or SKU was typed or scanned, by index; else those that have all the words."""
    exact = {*_owners("Product", upc=typed), *_owners("StockRecord", partner_sku=typed)}
    if exact and (found := products.filter(pk__in=exact)).exists():
        return found
    for word in typed.split()[:_MOST_WORDS]:
        products = products.filter(
            Q(title__icontains=word)
            | Q(pk__in=_owners("Product", upc__istartswith=word))
            | Q(pk__in=_owners("StockRecord", partner_sku__istartswith=word))
        )
    return products


def _owners(model: str, **having: str) -> Any:
    """The pks of what is shown of these: of a child, or a child's stock, its parent."""
    if model == "Product":
        rows, shown = get_model("catalogue", "Product").objects, Coalesce("parent_id", "pk")
    else:
        rows, shown = get_model("partner", "StockRecord").objects, Coalesce("product__parent_id", "product_id")
    return rows.filter(**having).annotate(shown=shown).values_list("shown", flat=True)


def stock_records(product: Any) -> list[Any]:
    """A product's, or those of its children."""
    owners = product.children.all() if product.is_parent else [product]
    return [record for owner in owners for record in owner.stockrecords.all()]


def price(product: Any) -> str:
    """What it costs; of several prices the lowest."""
    records = sorted((each for each in stock_records(product) if each.price is not None), key=lambda each: each.price)
    if not records:
        return ""
    lowest = currency(records[0].price, records[0].price_currency)
    several = records[0].price != records[-1].price
    return _("from %(price)s") % {"price": lowest} if several else str(lowest)


def stock(product: Any) -> str:
    """How many can be sold."""
    if not product.get_product_class().track_stock:
        return _("not counted")
    left = sum(record.net_stock_level for record in stock_records(product))
    return str(left) if left > 0 else _("sold out")


def picture(product: Any) -> str:
    """The address of a small picture, "" where there is none, or it cannot be made."""
    found = product.primary_image()
    if isinstance(found, dict):  # Oscar's stand-in
        return ""
    try:
        return str(get_thumbnailer().generate_thumbnail(found.original, size=PICTURE, crop="center").url)
    except Exception as exc:  # noqa: BLE001 - a file that is gone or broken is no reason not to choose the product
        log.warning("no small picture of product %s: %s", product.pk, exc)
        return ""
