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
    methods: tuple[str, ...] = (PaymentMethod.KHALTI,)
    """The payment methods offered, in this order."""
    own_methods: Mapping[str, str] = field(default_factory=dict)
    """The shop's own payment methods, code → title: Oscar places their orders, with the shop's ``handle_payment``."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """A line below a method: ``{"bank_transfer": "Nabil Bank, account 01-…"}``."""
    number_prefix: str = ""
    """The prefix of order numbers, for example ``SS-``."""

    def __post_init__(self) -> None:
        known = {*METHODS, *self.own_methods}
        unknown = set(self.methods) - known
        if unknown or not self.methods:
            raise ImproperlyConfigured(
                f'LOYALINK_KHALTI["OSCAR"]["METHODS"]: {sorted(unknown)} is not among {sorted(known)}'
            )
        if taken := set(self.own_methods).intersection(PaymentMethod):
            raise ImproperlyConfigured(f'LOYALINK_KHALTI["OSCAR"]["OWN_METHODS"]: {sorted(taken)} is a method of ours')

    @property
    def offered(self) -> tuple[str, ...]:
        """The codes of all payment methods, in their order; own ones that ``methods`` does not place come last."""
        return (*self.methods, *(code for code in self.own_methods if code not in self.methods))

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
