"""Stock: Salesman (1.3) has none, so it is a column of the shop's own product models.

The column (``STOCK_FIELD``) says how many can still be sold; a model without it, or NULL, has no limit. An order
reserves at "place order", and what it reserves is subtracted from the column. Rows are locked by model and pk.

``SALESMAN_BASKET_ITEM_VALIDATOR`` may be ``validate_basket_item``, or a function of the shop's that calls it, so that
customers learn early what is left. It decides nothing: the freeze does, under lock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from rest_framework.exceptions import ValidationError

from loyalink_khalti.errors import ShopCannot

from .settings import options

Key = tuple[str, int]
"""The label of the model that has the column, "tea.Product", and the pk of a product."""


def key_of(label: str, pk: int) -> Key | None:
    """Return the row that keeps the stock of a product, None where there is none."""
    try:
        field = apps.get_model(label)._meta.get_field(options().stock_field)
    except (LookupError, ValueError, FieldDoesNotExist):
        return None
    return field.model._meta.label, pk  # of a model that inherits the column it is the parent


def lock(keys: Iterable[Key | None]) -> dict[Key, int]:
    """Lock the rows and return how many can be sold of each; those without a limit, or deleted, are left out."""
    name = options().stock_field
    wanted: dict[str, set[int]] = {}
    for key in keys:
        if key is not None:
            wanted.setdefault(key[0], set()).add(key[1])
    levels = {}
    for label in sorted(wanted):
        rows = apps.get_model(label)._base_manager.select_for_update(of=("self",)).filter(pk__in=wanted[label])
        for pk, level in rows.order_by("pk").values_list("pk", name):
            if level is not None:
                levels[(label, pk)] = int(level)
    return levels


def change(changes: Mapping[Key, int]) -> None:
    """Add to the stock of rows, less where it is negative; a row without a limit stays without."""
    name = options().stock_field
    for (label, pk), number in sorted(changes.items()):
        if number:
            rows = apps.get_model(label)._base_manager.filter(pk=pk, **{f"{name}__isnull": False})
            rows.update(**{name: F(name) + number})


def take(quantities: "Counter[Key]") -> None:
    """Lock and reserve. Raises ``ShopCannot("sold_out")`` where there is not enough."""
    levels = lock(quantities)
    short = [f"{label} {pk}" for (label, pk), number in quantities.items() if levels.get((label, pk), number) < number]
    if short:
        raise ShopCannot("sold_out", ", ".join(short))
    change({key: -quantities[key] for key in levels})


def validate_basket_item(attrs: dict[str, Any], context: Mapping[str, Any] = {}) -> dict[str, Any]:
    """Refuse a quantity that is not there, with what is left. For ``SALESMAN_BASKET_ITEM_VALIDATOR``."""
    item = context.get("basket_item")
    product = attrs.get("product") or (item.product if item is not None else None)
    key = key_of(product._meta.label, product.pk) if product is not None else None
    level = _level(key) if key else None
    wanted = attrs.get("quantity", item.quantity if item is not None else 1)
    if product is None or level is None:
        return attrs
    if item is None and context.get("basket") is not None:
        wanted += sum(each.quantity for each in context["basket"].get_items() if each.product == product)
    if wanted > max(level, 0):
        raise ValidationError({"quantity": [_left(product, level)]})
    return attrs


def _level(key: Key) -> int | None:
    rows = apps.get_model(key[0])._base_manager.filter(pk=key[1])
    level: int | None = rows.values_list(options().stock_field, flat=True).first()
    return level


def _left(product: Any, level: int) -> str:
    if level <= 0:
        return _("“%(title)s” is sold out.") % {"title": product.name}
    return ngettext(
        "Only %(left)s of “%(title)s” is left.", "Only %(left)s of “%(title)s” are left.", level
    ) % {"left": level, "title": product.name}  # fmt: skip
