"""The basket that a request to the API means: JSON from outside, of any shape."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpRequest
from django.utils.translation import gettext as _

from loyalink_khalti.errors import InvalidDetails
from loyalink_khalti.staff.fields import MAXIMUM_PAISA

from .basket import MOST_ITEMS, MOST_OF_ONE, Item, read_item
from .details import LONGEST, from_mapping
from .open_basket import PageBasket, of_session


def of_wanted(request: HttpRequest, wanted: Mapping[str, Any]) -> PageBasket:
    """Return the basket that JSON from outside names. Raises ``InvalidDetails`` by field.

    Without ``items`` it is the session's. ``basket`` is a UUID of the client's own, by which a repeated request is
    known to mean the same basket.
    """
    customer, delivery = (_mapping(wanted, name) for name in ("customer", "delivery"))
    user: Any = getattr(request, "user", None)
    known = user is not None and user.is_authenticated
    details = from_mapping(
        {
            **customer,
            "address": delivery.get("address"),
            "delivery": delivery.get("option"),
            "note": wanted.get("note"),
        },
        name=user.get_full_name() if known else "",
        email=getattr(user, "email", "") or "" if known else "",
    )
    if "items" not in wanted and hasattr(request, "session"):
        return of_session(request, details)
    items, origin = _items(wanted.get("items")), _origin(wanted.get("basket"))
    return PageBasket(request, items=items, origin=origin, details=details)


def _mapping(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidDetails({name: [_("This must be an object.")]})
    return value


def _items(given: Any) -> list[Item]:
    if not isinstance(given, list) or not given:
        raise InvalidDetails({"items": [_("Name the pages to buy.")]})
    if len(given) > MOST_ITEMS:
        raise InvalidDetails({"items": [_("At most %(most)s items.") % {"most": MOST_ITEMS}]})
    items = [read_item({**row, "title": ""} if isinstance(row, Mapping) else row) for row in given]
    wrong = {
        f"items.{index}": [_("This is no item of a basket: page, choice, quantity, amount.")]
        for index, item in enumerate(items)
        if item is None
    }
    if wrong:
        raise InvalidDetails(wrong)
    found = [item for item in items if item is not None]
    if len({item.key for item in found}) < len(found):
        raise InvalidDetails({"items": [_("Name each page once, with a quantity.")]})
    return found


def _origin(given: Any) -> str:
    if given is None:
        return str(uuid4())
    try:
        return str(UUID(given))
    except (AttributeError, TypeError, ValueError):
        raise InvalidDetails({"basket": [_("This must be a UUID.")]}) from None


def basket_schema() -> Mapping[str, Any]:
    """Return the JSON Schema of what ``of_wanted`` reads."""
    text = {"type": "string"}
    item = {
        "type": "object",
        "required": ["page"],
        "properties": {
            "page": {"type": "integer", "minimum": 1, "description": "The pk of a published page that is sold."},
            "choice": {
                **text,
                "maxLength": 64,
                "description": "The id of one of its choices; left out if it has none.",
            },
            "quantity": {"type": "integer", "minimum": 1, "maximum": MOST_OF_ONE, "default": 1},
            "amount": {
                "type": ["integer", "null"],
                "minimum": 0,
                "maximum": MAXIMUM_PAISA,
                "description": "In paisa, for a page on which customers choose the amount; left out for any other.",
            },
        },
    }
    return {
        "type": "object",
        "properties": {
            "basket": {
                **text,
                "format": "uuid",
                "description": "The client's own identity of this basket. A repeated request with it does not order"
                " twice. Left out: a new basket.",
            },
            "items": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_ITEMS,
                "items": item,
                "description": "What to buy. Left out: the basket of the browser session.",
            },
            "customer": {
                "type": "object",
                "properties": {
                    name: {**text, "maxLength": LONGEST[name], "description": description}
                    for name, description in (
                        ("name", "The customer's name; a member's own if it is left out."),
                        ("email", "Where the receipt is sent; a member's own if it is left out."),
                        ("phone", "Needed for what is delivered. A mobile of Nepal in any usual form."),
                    )
                },
            },
            "delivery": {
                "type": "object",
                "properties": {
                    "option": {**text, "description": "The code of a delivery option; needed if there are several."},
                    "address": {**text, "maxLength": LONGEST["address"], "description": "Where it is delivered."},
                },
            },
            "note": {**text, "maxLength": LONGEST["note"], "description": "A note to the shop."},
        },
    }
