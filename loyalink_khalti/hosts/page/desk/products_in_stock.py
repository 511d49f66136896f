"""The products of a site's pages as the stock pages name them: with their choices, and how many are left."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import F, Sum
from django.utils.translation import gettext as _

from loyalink_khalti.hosts.page.models import PAGE_MODEL, OrderLine, OrderStatus, Stock
from loyalink_khalti.hosts.page.product import KhaltiProductMixin
from loyalink_khalti.hosts.page.stock import Key

_STILL_HERE = (OrderStatus.HELD, OrderStatus.PENDING, OrderStatus.PAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRow:
    """What one product, or one of its choices, has left."""

    product: UUID
    choice: str
    """The id of the choice, "" for a product without choices."""
    title: str
    """The title of the choice, "" for a product without choices."""
    sku: str
    quantity: int
    is_removed: bool = False
    """Whether an editor has removed the choice: it is not sold any more, and may still have stock."""


def product_models() -> list[Any]:
    """Return the site's page models that sell."""
    return [model for model in apps.get_models() if issubclass(model, KhaltiProductMixin)]


def find_page(product: UUID) -> Any:
    """Return a page of a product, of its own model; the one that was made first where it has translations.

    None where there is no such page, or it sells nothing.
    """
    page = apps.get_model(PAGE_MODEL).objects.filter(translation_key=product).order_by("pk").first()
    found = page.specific if page is not None else None
    return found if isinstance(found, KhaltiProductMixin) else None


def stock_rows(page: Any, left: dict[Key, int]) -> list[StockRow]:
    """Return the rows of a product in the order of its choices; ``left`` is how many there are of each."""
    return list(_rows(page, left))


def levels_of(products: Collection[UUID]) -> dict[Key, int]:
    """Return how many are left of all that these products have, removed choices among them. One query."""
    rows = Stock.objects.filter(product__in=products)
    return {(row.product, row.choice): row.quantity for row in rows}


def not_sent(product: UUID) -> dict[Key, int]:
    """Return how many of a product, by choice, are ordered and still here: held, or placed and not sent. One query."""
    here = OrderLine.objects.filter(product=product, tracks_stock=True, order__status__in=_STILL_HERE).order_by()
    rows = here.values_list("choice").annotate(number=Sum(F("quantity") - F("restocked")))
    return {(product, choice): number for choice, number in rows}


def _rows(page: Any, left: dict[Key, int]) -> Iterator[StockRow]:
    product, choices = page.product, page.product_choices()
    for choice in choices:
        quantity = left.get((product, choice.id), 0)
        yield StockRow(product=product, choice=choice.id, title=choice.title, sku=choice.sku, quantity=quantity)
    if not choices:
        quantity = left.get((product, ""), 0)
        yield StockRow(product=product, choice="", title="", sku=page.sku, quantity=quantity)
    known = {choice.id for choice in choices} if choices else {""}
    for (of, choice_id), quantity in sorted(left.items(), key=str):
        if of == product and choice_id not in known and quantity:
            title = _("removed choice") if choice_id else _("without a choice")
            yield StockRow(
                product=product, choice=choice_id, title=title, sku="", quantity=quantity, is_removed=True
            )  # fmt: skip
