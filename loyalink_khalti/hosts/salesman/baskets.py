"""A basket that a customer is about to buy: Salesman's own, or products that a request names. Nothing is written here.

``payment`` buys Salesman's basket at its checkout, and ``api/`` through ``SalesmanShop.open_basket``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from salesman.basket.models import BASKET_ID_SESSION_KEY
from salesman.basket.serializers import BasketItemCreateSerializer
from salesman.checkout.payment import payment_methods_pool
from salesman.conf import app_settings
from salesman.core.utils import get_salesman_model

from loyalink_khalti import conf
from loyalink_khalti.errors import InvalidDetails
from loyalink_khalti.hosts.common.payment_methods import BUILT_IN, method_options
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Costs, MethodOption, PaymentMethod

from . import origins, pricing
from .freeze import Freeze
from .settings import options

MOST_ITEMS = 200
Errors = dict[str, list[str]]


@dataclass(slots=True, kw_only=True)
class SalesmanBasket:
    """See ``ports.OpenBasket``. Where ``basket`` has no pk, its items are in no table."""

    request: Any
    basket: Any
    origin: str
    details: dict[str, Any] = field(default_factory=dict)
    """What the checkout adds to the basket's ``extra``."""
    site_key: str = field(init=False)
    member_id: str | None = field(init=False)

    def __post_init__(self) -> None:
        self.site_key = conf.site_key(pricing.django_request(self.request))
        self.member_id = pricing.member_id(self.request)

    def costs(self) -> Costs:
        self.basket.extra = {**self.basket.extra, **self.details}
        self.basket.update(self.request)
        return pricing.costs(self.basket)

    def methods(self, *, khalti_unavailable_reason: str) -> Sequence[MethodOption]:
        """Return those of our methods that ``SALESMAN_PAYMENT_METHODS`` has and that are enabled for this request.

        Those of the shop's own are Salesman's alone: their orders do not come through the flow.
        """
        pool = payment_methods_pool.get_payments("basket", self.request)
        offered = tuple(payment.identifier for payment in pool if payment.identifier in BUILT_IN)
        chosen = replace(options(), methods=offered)
        return method_options(chosen, self, khalti_unavailable_reason=khalti_unavailable_reason)

    def freeze(self, *, method: PaymentMethod, points: Points, expected_due: Paisa | None) -> Callable[[], Cart]:
        return Freeze(
            request=self.request,
            basket=self.basket,
            origin=self.origin,
            details=self.details,
            method=method,
            points=points,
            expected_due=expected_due,
        )


def of(basket: Any, request: Any) -> SalesmanBasket:
    """Return one of Salesman's own baskets, as a checkout has it."""
    return SalesmanBasket(request=request, basket=basket, origin=origins.origin_of(basket))


def open_basket(request: Any, wanted: Mapping[str, Any]) -> SalesmanBasket:
    """Return the basket that a request means. Raises ``InvalidDetails``, by field.

    Without ``items`` it is the basket of Salesman's own API: the member's, or that of the session.
    """
    if not isinstance(wanted, Mapping):
        raise InvalidDetails({"": [_("This must be a JSON object.")]})
    errors: Errors = {name: [_("There is no such field.")] for name in wanted if name not in schema()["properties"]}
    own = None if "items" in wanted else _own_basket(request)
    basket = own or get_salesman_model("Basket")(extra={})
    if own is None:
        basket.user = request.user if pricing.member_id(request) else None
        basket._cached_items = []
        if "items" in wanted:
            basket._cached_items = _items(request, basket, wanted["items"], errors)
        else:
            errors["items"] = [_("Your basket is empty.")]
    details = _details(request, basket, wanted, errors)
    if errors:
        raise InvalidDetails(errors)
    origin = origins.origin_of(basket) if own is not None else f"items:{uuid4()}"
    return SalesmanBasket(request=request, basket=basket, origin=origin, details=details)


def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of what `open_basket` takes."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["email", "shipping_address", "billing_address"],
        "properties": {
            "items": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_ITEMS,
                "description": "The products. Without it, those in the basket of Salesman's own API are bought.",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["product_type", "product_id"],
                    "properties": {
                        "product_type": {"type": "string", "description": "A key of SALESMAN_PRODUCT_TYPES."},
                        "product_id": {"type": "integer", "minimum": 1, "description": "The product's primary key."},
                        "quantity": {"type": "integer", "minimum": 1, "default": 1, "description": "How many."},
                        "extra": {"type": "object", "description": "What was chosen for it: size, engraving."},
                    },
                },
            },
            "email": {"type": "string", "format": "email", "description": "The customer's e-mail address."},
            "shipping_address": {"type": "string", "description": "Where the order is sent."},
            "billing_address": {"type": "string", "description": "Whom the bill names."},
            "extra": {
                "type": "object",
                "description": "What the shop asks for besides; name and phone are also shown to Khalti.",
            },
        },
    }


def _own_basket(request: Any) -> Any:
    """Return the request's basket as Salesman's manager finds it (1.3), without creating or merging any."""
    baskets = get_salesman_model("Basket")._default_manager
    member = pricing.member_id(request)
    if member is not None:
        return baskets.filter(user_id=member).first()
    session = getattr(request, "session", None) or {}
    return baskets.filter(pk=session.get(BASKET_ID_SESSION_KEY), user=None).first()


def _items(request: Any, basket: Any, given: Any, errors: Errors) -> list[Any]:
    """Return unsaved items for what a request names, checked by Salesman's serializer and the shop's validators."""
    if not isinstance(given, list) or not 0 < len(given) <= MOST_ITEMS:
        errors["items"] = [_("Give a list of 1 to %(most)s items.") % {"most": MOST_ITEMS}]
        return []
    BasketItem, found = get_salesman_model("BasketItem"), []
    for number, each in enumerate(given):
        serializer = BasketItemCreateSerializer(data=each, context={"request": request, "basket": basket})
        try:
            serializer.is_valid(raise_exception=True)
        except (ValidationError, DjangoValidationError) as exc:
            errors |= {f"items.{number}.{name}": texts for name, texts in _texts(exc).items()}
            continue
        data = serializer.validated_data
        if not isinstance(data.get("extra") or {}, dict):
            errors[f"items.{number}.extra"] = [_("This must be a JSON object.")]
            continue
        item = BasketItem(product=data["product"], quantity=data["quantity"], extra=data.get("extra") or {})
        item.ref = f"{number}"
        found.append(item)
        basket._cached_items = found
    return found


def _details(request: Any, basket: Any, wanted: Mapping[str, Any], errors: Errors) -> dict[str, Any]:
    """Return e-mail, addresses and extra as Salesman's checkout would store them, by the shop's validators."""
    extra = wanted.get("extra", {})
    if not isinstance(extra, dict):
        errors["extra"] = [_("This must be a JSON object.")]
        extra = {}
    context = {"request": request, "basket": basket}
    details = {name: value for name, value in {**basket.extra, **extra}.items() if value is not None}

    def check(name: str, validator: Callable[[Any], Any]) -> Any:
        try:
            return validator(wanted.get(name, ""))
        except (ValidationError, DjangoValidationError) as exc:
            errors[name] = [text for texts in _texts(exc).values() for text in texts]
        return ""

    def address(kind: str) -> Callable[[Any], str]:
        validate = app_settings.SALESMAN_ADDRESS_VALIDATOR
        return lambda value: validate(_text(value), context={**context, "address": kind})

    checked = check("extra", lambda _value: app_settings.SALESMAN_EXTRA_VALIDATOR(details, context=context)) or {}
    return {
        **checked,
        "email": check("email", _email),
        "shipping_address": check("shipping_address", address("shipping")),
        "billing_address": check("billing_address", address("billing")),
    }


def _email(value: Any) -> str:
    text = _text(value).strip()
    validate_email(text)
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValidationError(_("This must be text."))
    return value


def _texts(exc: Any) -> Errors:
    """Return the sentences of an error of the REST framework's or of Django's, by field; "" for all of it."""
    detail = exc.detail if isinstance(exc, ValidationError) else getattr(exc, "message_dict", None) or exc.messages
    if isinstance(detail, Mapping):
        return {
            "" if name == "non_field_errors" else str(name): [str(each) for each in _flat(texts)]
            for name, texts in detail.items()
        }
    return {"": [str(each) for each in _flat(detail)]}


def _flat(texts: Any) -> list[Any]:
    if isinstance(texts, Mapping):
        texts = list(texts.values())
    return [each for text in texts for each in _flat(text)] if isinstance(texts, list) else [texts]
