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
    number_prefix: str = ""
    """The prefix of order numbers, for example ``SS-``."""

    @property
    def set_by_payment(self) -> frozenset[str]:
        """Statuses that only the flow sets. Set by hand, points and payment sources would not follow."""
        return frozenset({self.held, self.paid, self.refunded})


_STATUS: Type = (is_name, "the name of an order status")

options = HostSettings(SHOP, Options, {**dict.fromkeys(STATUSES, _STATUS), "number_prefix": TEXT})
faults = options.faults
