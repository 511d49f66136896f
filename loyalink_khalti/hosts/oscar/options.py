"""The adapter's settings, ``LOYALINK_KHALTI["OSCAR"]``, with their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from django.core.exceptions import ImproperlyConfigured

from loyalink_khalti import conf
from loyalink_khalti.ports import Method

SHOP = "oscar"
"""The name of this host in ``LOYALINK_KHALTI["SHOPS"]`` and in every Cart."""

CURRENCY = "NPR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a shopkeeper may choose; the keys in settings are these names in capitals."""

    held: str = "Awaiting payment"
    """Order status while Khalti has the shopper; the pipeline offers staff no exit from it."""
    paid: str = "Paid"
    pending: str = "Pending"
    """Placed, the money still to come: cash on delivery, bank transfer."""
    cancelled: str = "Cancelled"
    refunded: str = "Refunded"
    methods: tuple[str, ...] = (Method.KHALTI, Method.COD, Method.BANK_TRANSFER)
    """The payment methods offered, in this order."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """A line under a method: ``{"bank_transfer": "Nabil Bank, account 01-…"}``."""
    number_prefix: str = ""
    """What order numbers begin with, ``SS-`` say."""

    def __post_init__(self) -> None:
        unknown = set(self.methods) - {Method.KHALTI, Method.COD, Method.BANK_TRANSFER}
        if unknown or not self.methods:
            raise ImproperlyConfigured(f'LOYALINK_KHALTI["OSCAR"]["METHODS"]: no such method: {sorted(unknown)}')


def options() -> Options:
    """The settings as they are now."""
    given = conf.oscar_options()
    known = {option.name.upper(): option.name for option in fields(Options)}
    unknown = set(given) - set(known)
    if unknown:
        raise ImproperlyConfigured(f'LOYALINK_KHALTI["OSCAR"] has no {sorted(unknown)}; it knows {sorted(known)}')
    chosen = {known[name]: value for name, value in given.items()}
    return Options(**chosen | ({"methods": tuple(chosen["methods"])} if "methods" in chosen else {}))
