"""The open basket of ``FakeShop``, for tests of what sells through any shop: the API, for example."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.http import HttpRequest
from django.utils.translation import get_language

from loyalink_khalti import conf
from loyalink_khalti.errors import InvalidDetails, ShopCannot, SoldOut, TotalChanged
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Costs, Customer, Line, MethodOption, PaymentMethod

PRICES = {"pen": 250_000, "paper": 50_000, "rubber": 500}
"""paisa"""
MOST = 100
LONGEST = 200
"""Characters of a customer's name, e-mail address or phone."""
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "What the customer buys of the fake shop.",
    "required": ["items", "customer"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "description": "The identity of the basket, for a second click.", "maxLength": 100},
        "items": {
            "type": "array",
            "description": "The products.",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["sku", "quantity"],
                "additionalProperties": False,
                "properties": {
                    "sku": {"enum": list(PRICES), "description": "The product."},
                    "quantity": {"type": "integer", "minimum": 1, "maximum": MOST, "description": "How many."},
                },
            },
        },
        "customer": {
            "type": "object",
            "description": "Who buys.",
            "required": ["email"],
            "additionalProperties": False,
            "properties": {name: {"type": "string", "maxLength": LONGEST} for name in ("name", "email", "phone")},
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeBasket:
    """Products of the fake shop with free delivery; Khalti and cash on delivery."""

    shop: Any
    site_key: str
    member_id: str | None
    origin: str
    lines: tuple[Line, ...]
    customer: Customer

    def costs(self) -> Costs:
        subtotal = Paisa(sum(line.total for line in self.lines))
        return Costs(lines=self.lines, subtotal=subtotal, shipping=Paisa(0))

    def methods(self, *, khalti_unavailable_reason: str) -> list[MethodOption]:
        return [
            MethodOption(
                method=PaymentMethod.KHALTI, title="Khalti", text="", unavailable_reason=khalti_unavailable_reason
            ),
            MethodOption(method=PaymentMethod.COD, title="Cash on delivery", text=""),
            MethodOption(method="cheque", title="Cheque", text="", takes_points=False),
        ]

    def freeze(self, *, method: PaymentMethod, points: Points, expected_due: Paisa | None) -> Callable[[], Cart]:
        cart = self.shop.cart(
            f"A-{uuid4().hex[:12]}",
            origin=self.origin,
            site_key=self.site_key,
            language=get_language() or "en",
            lines=self.lines,
            subtotal=self.costs().subtotal,
            customer=self.customer,
            member_id=self.member_id,
            points_redeemed=points,
        )
        take = self.shop.freeze(cart)

        def frozen() -> Cart:
            if self.costs().total != cart.total:
                raise TotalChanged("The total has changed.")
            try:
                found: Cart = take()
            except ShopCannot as exc:
                raise SoldOut(exc.detail) from exc
            return found

        return frozen


def open_basket(shop: Any, request: HttpRequest, wanted: Mapping[str, Any]) -> FakeBasket:
    """Return the basket that a request means. Raises ``InvalidDetails``."""
    user: Any = request.user
    customer = wanted.get("customer")
    if set(wanted) - set(SCHEMA["properties"]) or not isinstance(wanted.get("id", ""), str):
        raise InvalidDetails({"": ["The basket has something that the shop does not know."]})
    if not isinstance(customer, dict) or not all(isinstance(each, str) for each in customer.values()):
        raise InvalidDetails({"customer": ["Enter the customer's name, e-mail address and phone."]})
    if any(len(str(value)) > LONGEST for value in customer.values()):
        raise InvalidDetails({"customer": [f"At most {LONGEST} characters each."]})
    if set(customer) - {"name", "email", "phone"} or not customer.get("email"):
        raise InvalidDetails({"customer": ["Enter an e-mail address."]})
    return FakeBasket(
        shop=shop,
        site_key=conf.site_key(request),
        member_id=str(user.pk) if user.is_authenticated else None,
        origin=wanted.get("id") or uuid4().hex,
        lines=_lines(wanted.get("items")),
        customer=Customer(**customer),
    )


def _lines(items: Any) -> tuple[Line, ...]:
    if not isinstance(items, list) or not items or not all(map(_is_item, items)):
        raise InvalidDetails({"items": ["Choose products of this shop, and how many."]})
    return tuple(
        Line(
            id=str(number),
            sku=item["sku"],
            title=item["sku"].title(),
            quantity=item["quantity"],
            unit=Paisa(PRICES[item["sku"]]),
            total=Paisa(PRICES[item["sku"]] * item["quantity"]),
        )
        for number, item in enumerate(items)
    )


def _is_item(item: Any) -> bool:
    if not isinstance(item, dict) or set(item) != {"sku", "quantity"}:
        return False
    sku, quantity = item["sku"], item["quantity"]
    return isinstance(sku, str) and sku in PRICES and type(quantity) is int and 1 <= quantity <= MOST
