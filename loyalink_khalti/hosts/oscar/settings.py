"""The host's settings, ``LOYALINK_KHALTI["OSCAR"]``, with their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from loyalink_khalti import conf
from loyalink_khalti.ports import PaymentMethod

SHOP = "oscar"
"""The name of this host in ``LOYALINK_KHALTI["SHOPS"]`` and in every Cart."""

CURRENCY = "NPR"

METHODS = (PaymentMethod.KHALTI, PaymentMethod.COD, PaymentMethod.BANK_TRANSFER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a shop may choose. The keys in the settings are these names in capitals."""

    held: str = "Awaiting payment"
    """Order status while the customer is at Khalti. The pipeline offers staff no exit from it."""
    paid: str = "Paid"
    pending: str = "Pending"
    """Placed, and the payment has yet to arrive: cash on delivery, bank transfer."""
    cancelled: str = "Cancelled"
    refunded: str = "Refunded"
    methods: tuple[str, ...] = METHODS
    """The payment methods offered, in this order."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """A line below a method: ``{"bank_transfer": "Nabil Bank, account 01-…"}``."""
    number_prefix: str = ""
    """The prefix of order numbers, for example ``SS-``."""

    def __post_init__(self) -> None:
        unknown = set(self.methods) - set(METHODS)
        if unknown or not self.methods:
            raise ImproperlyConfigured(
                f'LOYALINK_KHALTI["OSCAR"]["METHODS"]: {sorted(unknown)} is not among {sorted(METHODS)}'
            )

    @property
    def set_by_payment(self) -> frozenset[str]:
        """Statuses that only the flow sets. Set by hand, points and payment sources would not follow."""
        return frozenset({self.held, self.paid, self.refunded})


def options() -> Options:
    """Return the current settings. Raises ``ImproperlyConfigured`` for an unknown key or payment method."""
    chosen = conf.host_settings(SHOP)
    names = {option.name.upper(): option.name for option in fields(Options)}
    if unknown := set(chosen) - set(names):
        raise ImproperlyConfigured(
            f'LOYALINK_KHALTI["OSCAR"] has no key {sorted(unknown)}; its keys are {sorted(names)}'
        )
    values: dict[str, Any] = {names[key]: tuple(value) if key == "METHODS" else value for key, value in chosen.items()}
    return Options(**values)
