"""The basket that a request to the API means: JSON from outside, of any shape.

What it names is written where Oscar's checkout has it, a new basket and the session of a checkout, but of neither is
anything kept: prices, delivery and offers are computed by the shop's own view, forms and repository in a transaction
that is rolled back. The freeze does the same once more, for good.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from loyalink_khalti import conf
from loyalink_khalti.errors import InvalidDetails, SoldOut
from loyalink_khalti.hosts.common.checkout import PaymentChoice
from loyalink_khalti.hosts.common.payment_methods import BUILT_IN, method_options
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Costs, MethodOption, PaymentMethod

from . import events, pricing
from .freeze import Freeze
from .settings import options

MOST_ITEMS, MOST_COUPONS, MOST_OF_ONE = 100, 5, 1_000_000
Errors = dict[str, list[str]]


@dataclass(slots=True, kw_only=True)
class WantedBasket:
    """See ``ports.OpenBasket``: Oscar's own basket, or the items that a request names."""

    checkout: Any
    """The shop's view that places orders, with a session of its own."""
    find: Callable[[], Any]
    """Return the basket; one of named items is created in the caller's transaction."""
    origin: str
    priced: Costs
    site_key: str
    member_id: str | None

    @property
    def request(self) -> Any:
        return self.checkout.request

    def costs(self) -> Costs:
        return self.priced

    def methods(self, *, khalti_unavailable_reason: str) -> list[MethodOption]:
        """Return the methods whose orders come through the flow; the shop's own need its pages."""
        chosen = options()
        built_in = tuple(code for code in chosen.methods if code in BUILT_IN)
        chosen = replace(chosen, methods=built_in, own_methods={})
        return method_options(chosen, self, khalti_unavailable_reason=khalti_unavailable_reason)

    def freeze(self, *, method: PaymentMethod, points: Points, expected_due: Paisa | None) -> Callable[[], Cart]:
        def held() -> Cart:
            try:
                basket = self.find()
            except InvalidDetails as exc:  # it was right before: an item is sold out, or a coupon used, since
                raise SoldOut(str(exc)) from exc
            choice = PaymentChoice(method=method, points=points)
            return Freeze(self.checkout, basket_id=basket.pk, choice=choice, expected_due=expected_due)()

        return held


def open_basket(request: HttpRequest, wanted: Mapping[str, Any]) -> WantedBasket:
    """Return the basket that JSON from outside names. Raises ``InvalidDetails`` by field, and ``CannotPay``.

    Without ``items`` it is the basket of the browser session, or the member's own, and what that session's checkout
    knows already (address, delivery) need not be said again.
    """
    if not isinstance(wanted, Mapping):
        raise InvalidDetails({"": [_("This must be a JSON object.")]})
    if unknown := {name: [_("There is no such field.")] for name in wanted if name not in schema()["properties"]}:
        raise InvalidDetails(unknown)
    if "coupons" in wanted and "items" not in wanted:
        raise InvalidDetails({"coupons": [_("Give them with the items; a basket of the shop has its own.")]})
    if any(not _is_storable(value) for value in wanted.values()):
        raise InvalidDetails({"": [_("A text has characters that cannot be stored.")]})
    view = _view(request, keeps_session="items" not in wanted)
    own = None if "items" in wanted else _own_basket(view.request)

    def find() -> Any:
        return own if own is not None else _fill(view.request, wanted)

    with transaction.atomic():
        view.request.basket = basket = find()
        get_class("offer.applicator", "Applicator")().apply(basket, view.request.user, view.request)
        _fill_checkout(view, basket, wanted)
        costs = pricing.costs(view.build_submission(basket=basket))
        transaction.set_rollback(own is None)
    return WantedBasket(
        checkout=view,
        find=find,
        origin=str(own.pk) if own is not None else f"items:{uuid4()}",
        priced=costs,
        site_key=conf.site_key(request),
        member_id=pricing.member_id(view.request),
    )


def _view(request: Any, *, keeps_session: bool) -> Any:
    """Return the shop's view for a copy of the request, whose session is never saved."""
    made = copy.copy(request)
    made.session = SessionBase()
    if keeps_session and hasattr(request, "session"):
        made.session.update(copy.deepcopy(dict(request.session.items())))
    made.strategy = get_class("partner.strategy", "Selector")().strategy(request=made, user=made.user)
    view = events.view_for(made)
    view.preview = True
    return view


def _own_basket(request: Any) -> Any:
    """Return the member's open basket, or that of the browser session. Raises ``InvalidDetails`` if it is empty."""
    if request.user.is_authenticated:
        basket = get_model("basket", "Basket").open.filter(owner=request.user).order_by("pk").last()
    else:
        basket = getattr(request, "basket", None)
    if basket is None or not basket.pk or basket.is_empty:
        raise InvalidDetails({"items": [_("Your basket is empty.")]})
    basket.strategy = request.strategy
    return basket


def _fill(request: Any, wanted: Mapping[str, Any]) -> Any:
    """Create a basket of the items and coupons that are wanted, by the shop's own form. Raises ``InvalidDetails``."""
    given = wanted["items"]
    if not isinstance(given, list) or not 0 < len(given) <= MOST_ITEMS:
        raise InvalidDetails({"items": [_("Give a list of 1 to %(most)s items.") % {"most": MOST_ITEMS}]})
    owner = request.user if request.user.is_authenticated else None
    basket = get_model("basket", "Basket").objects.create(owner=owner)
    basket.strategy = request.strategy
    errors: Errors = {}
    for number, item in enumerate(given):
        errors |= {f"items.{number}{name}": texts for name, texts in _add(basket, item).items()}
    if errors:
        raise InvalidDetails(errors)
    _use_coupons(basket, wanted.get("coupons", []), request.user)
    return basket


def _add(basket: Any, item: Any) -> Errors:
    """Add an item to a basket; return what is wrong with it, by field."""
    if not isinstance(item, Mapping) or not isinstance(item.get("options", {}), Mapping):
        return {"": [_("This must be a JSON object.")]}
    quantity = item.get("quantity", 1)
    if not _is_number(quantity, MOST_OF_ONE):
        return {".quantity": [_("Enter a whole number above 0.")]}
    product = _product(item.get("product"))
    if product is None:
        return {".product": [_("There is no such product.")]}
    chosen = item.get("options", {})
    form = get_class("basket.forms", "AddToBasketForm")(basket, product, data={"quantity": quantity})
    if wrong := [name for name in chosen if name == "quantity" or not _fits(form.fields.get(name), chosen[name])]:
        return {f".options.{name}": [_("This cannot be used here.")] for name in wrong}
    form.data = {"quantity": quantity, **{name: _typed(value) for name, value in chosen.items()}}
    if not form.is_valid():
        return {_field(name): [str(text) for text in texts] for name, texts in form.errors.items()}
    basket.add_product(form.product, form.cleaned_data["quantity"], form.cleaned_options())
    return {}


def _fits(field: Any, value: Any) -> bool:
    """Return whether a value has a type that this field of a form reads; False without the field."""
    if isinstance(field, forms.MultipleChoiceField):
        return isinstance(value, list) and all(isinstance(each, str | int) for each in value)
    return field is not None and isinstance(value, str | int | float)


def _typed(value: Any) -> Any:
    """Return a value of JSON as a browser would send it."""
    if isinstance(value, list):
        return [str(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _field(name: str) -> str:
    return {"__all__": "", "quantity": ".quantity"}.get(name, f".options.{name}")


def _product(pk: Any) -> Any:
    """Return a public product that can be sold by itself: no parent of variants."""
    if not _is_number(pk, 2**63 - 1):
        return None
    product = get_model("catalogue", "Product").objects.select_related("parent").filter(pk=pk, is_public=True).first()
    if product is None or product.is_parent or (product.is_child and not product.parent.is_public):
        return None
    return product


def _use_coupons(basket: Any, given: Any, user: Any) -> None:
    if not isinstance(given, list) or len(given) > MOST_COUPONS or not all(isinstance(code, str) for code in given):
        raise InvalidDetails({"coupons": [_("Give a list of at most %(most)s codes.") % {"most": MOST_COUPONS}]})
    for number, code in enumerate(given):
        voucher = get_model("voucher", "Voucher").objects.filter(code=code.strip().upper()).first()
        if voucher is None or not voucher.is_active() or not voucher.is_available_to_user(user)[0]:
            raise InvalidDetails({f"coupons.{number}": [_("This coupon cannot be used.")]})
        basket.vouchers.add(voucher)


def _fill_checkout(view: Any, basket: Any, wanted: Mapping[str, Any]) -> None:
    """Store in the session of the checkout what its pages would store. Raises ``InvalidDetails``."""
    session = view.checkout_session
    if not view.request.user.is_authenticated:
        _store_email(session, wanted.get("email", session.get_guest_email() or ""))
    if not basket.is_shipping_required():
        session.use_shipping_method(get_class("shipping.methods", "NoShippingRequired")().code)
        return
    if "shipping_address" in wanted or view.get_shipping_address(basket) is None:
        _store_address(session, wanted.get("shipping_address"))
    methods = get_class("shipping.repository", "Repository")().get_shipping_methods(
        basket=basket,
        user=view.request.user,
        shipping_addr=view.get_shipping_address(basket),
        request=view.request,
    )
    codes = [str(method.code) for method in methods]
    code = wanted.get("shipping_method") or session.shipping_method_code(basket)
    code = codes[0] if not code and len(codes) == 1 else code
    if code not in codes:
        raise InvalidDetails({"shipping_method": [_("Choose one of: %(codes)s.") % {"codes": ", ".join(codes)}]})
    session.use_shipping_method(code)


def _store_email(session: Any, email: Any) -> None:
    if not settings.OSCAR_ALLOW_ANON_CHECKOUT:
        raise InvalidDetails({"": [_("Log in to order.")]})
    try:
        validate_email(email if isinstance(email, str) else "")
    except ValidationError as exc:
        raise InvalidDetails({"email": [_("Enter an e-mail address.")]}) from exc
    session.set_guest_email(email)


def _store_address(session: Any, given: Any) -> None:
    if not isinstance(given, Mapping) or not all(isinstance(value, str) for value in given.values()):
        raise InvalidDetails({"shipping_address": [_("Give the address to which the order is sent.")]})
    form = get_class("checkout.forms", "ShippingAddressForm")(data=dict(given))
    only_country = {"country"} if given.get("country") == form.instance.country_id else set()
    if unknown := set(given) - {*form.fields, *only_country}:  # Oscar has no field for the only country
        raise InvalidDetails(
            {f"shipping_address.{name}": [_("This cannot be used here.")] for name in sorted(unknown)}
        )
    if not form.is_valid():
        raise InvalidDetails(
            {
                "shipping_address" + ("" if name == "__all__" else f".{name}"): [str(text) for text in texts]
                for name, texts in form.errors.items()
            }
        )
    fields = {name: value for name, value in vars(form.instance).items() if not name.startswith("_")}
    session.ship_to_new_address(fields)


def _is_number(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most


def _is_storable(value: Any) -> bool:
    """Return whether every text within can be stored: no NUL and no half of a surrogate pair."""
    if isinstance(value, Mapping):
        return all(_is_storable(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return all(map(_is_storable, value))
    return not isinstance(value, str) or not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of what `open_basket` reads."""
    text = {"type": "string"}
    address = get_class("checkout.forms", "ShippingAddressForm").base_fields
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "items": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_ITEMS,
                "description": "What to buy. Left out: the member's open basket, or that of the browser session.",
                "items": {
                    "type": "object",
                    "required": ["product"],
                    "properties": {
                        "product": {"type": "integer", "minimum": 1, "description": "The primary key of a product."},
                        "quantity": {"type": "integer", "minimum": 1, "maximum": MOST_OF_ONE, "default": 1},
                        "options": {"type": "object", "description": "The product's options: code and value."},
                    },
                },
            },
            "coupons": {"type": "array", "maxItems": MOST_COUPONS, "items": text, "description": "Codes, with items."},
            "email": {**text, "description": "A guest's e-mail address; a member has one."},
            "shipping_address": {
                "type": "object",
                "description": "Where the order is sent; left out if the session's checkout has it.",
                "properties": {
                    name: {**text, "description": str(field.label or name)} for name, field in address.items()
                },
            },
            "shipping_method": {**text, "description": "The code of a delivery method; needed if there are several."},
        },
    }
