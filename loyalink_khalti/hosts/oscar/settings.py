"""The host's settings, ``LOYALINK_KHALTI["OSCAR"]``, with their defaults."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.utils.functional import Promise

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

    @property
    def offered(self) -> tuple[str, ...]:
        """The codes of all payment methods, in their order; own ones that ``methods`` does not place come last."""
        return (*self.methods, *(code for code in self.own_methods if code not in self.methods))

    @property
    def set_by_payment(self) -> frozenset[str]:
        """Statuses that only the flow sets. Set by hand, points and payment sources would not follow."""
        return frozenset({self.held, self.paid, self.refunded})


def options() -> Options:
    """Return the current settings. What `faults` reports has its default: no order stops because of a misspelling."""
    return _read()[0]


def faults() -> list[str]:
    """Return a sentence for each setting of the host that is unknown or cannot be used, for the check."""
    return _read()[1]


def _read() -> tuple[Options, list[str]]:
    values, found = _typed(conf.host_settings(SHOP))
    own = values.get("own_methods", {})
    if taken := sorted(code for code in own if code in set(PaymentMethod)):
        found.append(f'LOYALINK_KHALTI["OSCAR"]["OWN_METHODS"]: {taken} is a method of ours.')
        values["own_methods"] = own = {code: title for code, title in own.items() if code not in taken}
    known = [*map(str, METHODS), *own]
    found += [
        f'LOYALINK_KHALTI["OSCAR"]["{key}"]: {code!r} is no payment method{_meant(code, known)}'
        for key in ("METHODS", "TEXTS")
        for code in values.get(key.lower(), ())
        if code not in known
    ]
    if methods := tuple(code for code in dict.fromkeys(values.pop("methods", ())) if code in known):
        values["methods"] = methods
    return Options(**values), found


def _typed(given: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the values of a right type by their names in `Options`, and a sentence for each other key."""
    if not isinstance(given, Mapping):
        return {}, [f'LOYALINK_KHALTI["OSCAR"] must be a dict, not {given!r}.']
    names = {option.name.upper(): option.name for option in fields(Options)}
    values: dict[str, Any] = {}
    found = []
    for key, value in given.items():
        if key not in names:
            found.append(f'LOYALINK_KHALTI["OSCAR"] has no key {key!r}{_meant(key, names)}')
            continue
        is_right, description = _TYPES.get(names[key], _STATUS)
        if is_right(value):
            values[names[key]] = value
        else:
            found.append(f'LOYALINK_KHALTI["OSCAR"]["{key}"] must be {description}, not {value!r}.')
    return values, found


def _meant(name: object, known: Collection[str]) -> str:
    near = conf.nearest(name, known)
    return f". Did you mean {near!r}?" if near else f": they are {', '.join(sorted(known))}."


def _is_methods(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(code, str) for code in value)


def _is_titles(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(each, str | Promise) for pair in value.items() for each in pair
    )


_Type = tuple[Callable[[Any], bool], str]
_STATUS: _Type = (lambda value: isinstance(value, str) and bool(value), "the name of an order status")
_TYPES: dict[str, _Type] = {
    "methods": (_is_methods, 'a list of payment methods, ["khalti", "cod"]'),
    "own_methods": (_is_titles, 'a dict of codes and titles, {"fonepay": "Fonepay"}'),
    "texts": (_is_titles, 'a dict of payment methods and texts, {"bank_transfer": "Nabil Bank, account 01-…"}'),
    "number_prefix": (lambda value: isinstance(value, str), 'text in quotation marks, "SS-"'),
}
"""What a key must be, and its description; the others are `_STATUS`."""
