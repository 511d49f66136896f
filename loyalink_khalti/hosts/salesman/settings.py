"""The host's settings, ``LOYALINK_KHALTI["SALESMAN"]``, with their defaults."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from loyalink_khalti.hosts.common.payment_methods import TEXT, HostSettings, MethodSettings, Type, is_name

SHOP = "salesman"
"""The name of this host in ``LOYALINK_KHALTI["SHOPS"]`` and in every Cart."""

STATUSES = ("held", "pending", "paid", "cancelled", "refunded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(MethodSettings):
    """What a shop may choose. The keys in the settings are these names in capitals.

    ``methods`` and ``own_methods`` are not among them: ``SALESMAN_PAYMENT_METHODS`` says which there are.
    """

    held: str = "HOLD"
    """Order status while the customer is at Khalti. Salesman: "Stock reduced but still awaiting payment"."""
    pending: str = "CREATED"
    """Placed, and the payment has yet to arrive: cash on delivery, bank transfer."""
    paid: str = "PROCESSING"
    cancelled: str = "CANCELLED"
    refunded: str = "REFUNDED"
    shipped: tuple[str, ...] = ("SHIPPED",)
    """Statuses of an order that is on its way, or ready to be collected."""
    delivered: tuple[str, ...] = ("COMPLETED",)
    shop_name: str = ""
    """What Khalti's page shows before the order's number; "" for ``WAGTAIL_SITE_NAME``."""
    number_prefix: str = ""
    """The prefix of order references, for example ``TH-``."""
    stock_field: str = "stock"
    """The column of product models that says how many can be sold; a model without it, or NULL, has no limit."""
    shipping_rows: tuple[str, ...] = ("shipping", "shipping-cost", "delivery")
    """The identifiers of the basket's extra rows that are the price of the delivery."""
    return_path: str = ""
    """A page of the shop to which customers return from Khalti, ``/thanks/{ref}/``; "" for our receipt."""

    @property
    def name(self) -> str:
        return self.shop_name or str(getattr(settings, "WAGTAIL_SITE_NAME", ""))


def _is_prefix(value: Any) -> bool:
    return isinstance(value, str) and value.replace("-", "").replace("_", "").isalnum() | (value == "")


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


def _is_return_path(value: Any) -> bool:
    if not isinstance(value, str) or (value and (not value.startswith("/") or value.startswith(("//", "/\\")))):
        return False
    try:
        value.format(ref="", outcome="", payment="")
    except (KeyError, IndexError, ValueError, AttributeError):
        return False
    return True


_STATUS: Type = (is_name, "the name of an order status")
_LEFT_OUT: Type = (lambda _value: False, "left out, because SALESMAN_PAYMENT_METHODS has the payment methods")

options = HostSettings(
    SHOP,
    Options,
    {
        **dict.fromkeys(STATUSES, _STATUS),
        "methods": _LEFT_OUT,
        "own_methods": _LEFT_OUT,
        "shop_name": TEXT,
        "number_prefix": (_is_prefix, 'letters, digits and hyphens, "TH-": it is part of addresses'),
        "stock_field": TEXT,
        "shipping_rows": (_is_names, 'a list of identifiers of extra rows, ["shipping"]'),
        **dict.fromkeys(("shipped", "delivered"), (_is_names, 'a list of statuses, ["SHIPPED"]')),
        "return_path": (_is_return_path, 'a path of the shop, "/thanks/{ref}/", with {ref}, {outcome} or {payment}'),
    },
)
faults = options.faults
