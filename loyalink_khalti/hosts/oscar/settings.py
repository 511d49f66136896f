"""The host's settings, ``LOYALINK_KHALTI["OSCAR"]``, with their defaults."""

from dataclasses import dataclass

from loyalink_khalti.hosts.common.payment_methods import TEXT, HostSettings, MethodSettings, Type, is_name

SHOP = "oscar"
"""The name of this host in ``LOYALINK_KHALTI["SHOPS"]`` and in every Cart."""

CURRENCY = "NPR"

STATUSES = ("held", "paid", "pending", "cancelled", "refunded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(MethodSettings):
    """What a shop may choose. The keys in the settings are these names in capitals.

    Oscar places the orders of ``own_methods``, with the shop's ``handle_payment``.
    """

    held: str = "Awaiting payment"
    """Order status while the customer is at Khalti. The pipeline offers staff no exit from it."""
    paid: str = "Paid"
    pending: str = "Pending"
    """Placed, and the payment has yet to arrive: cash on delivery, bank transfer."""
    cancelled: str = "Cancelled"
    refunded: str = "Refunded"
    shipped: tuple[str, ...] = ("Shipped",)
    """Statuses of an order that is on its way, or ready to be collected."""
    delivered: tuple[str, ...] = ("Delivered",)
    pickup: tuple[str, ...] = ("pickup",)
    """The codes of delivery methods with which the customer collects the order at the shop."""
    number_prefix: str = ""
    """The prefix of order numbers, for example ``SS-``."""

    @property
    def set_by_payment(self) -> frozenset[str]:
        """Statuses that only the flow sets. Set by hand, points and payment sources would not follow."""
        return frozenset({self.held, self.paid, self.refunded})


_STATUS: Type = (is_name, "the name of an order status")

_NAMES: Type = (
    lambda value: isinstance(value, list | tuple) and all(is_name(each) for each in value),
    'a list of names, ["Shipped"]',
)

options = HostSettings(
    SHOP,
    Options,
    {
        **dict.fromkeys(STATUSES, _STATUS),
        **dict.fromkeys(("shipped", "delivered", "pickup"), _NAMES),
        "number_prefix": TEXT,
    },
)
faults = options.faults
