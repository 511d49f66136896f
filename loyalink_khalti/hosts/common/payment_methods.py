"""The registry of payment methods that all hosts share, and a host's settings, which choose among them.

A `Method` says what a customer reads, what happens on "place order", whether its orders take points, and whether their
money is awaited. Khalti, cash on delivery and bank transfer are `BUILT_IN`; a site adds its own with ``OWN_METHODS``.
A host's settings are its dict in ``LOYALINK_KHALTI``: a dataclass that inherits from `MethodSettings` has its keys.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar

from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotPay, safe_trace
from loyalink_khalti.ports import PAID_LATER, MethodOption, OpenBasket, PaymentMethod

log = logging.getLogger(__name__)


class Placement(StrEnum):
    """What happens on "place order" with a payment method."""

    KHALTI = "khalti"
    """The order is held, and the customer pays at Khalti."""
    AT_ONCE = "at_once"
    """The order is placed at once; cash or a transfer arrives later."""
    BY_SITE = "by_site"
    """The site's own code takes the payment and places the order, outside the flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A payment method, whatever the host."""

    code: str
    """A `PaymentMethod`, or the code of one of the site's own."""
    title: str | Promise
    text: str | Promise = ""
    """A line below the title."""
    placement: Placement = Placement.AT_ONCE

    @property
    def takes_points(self) -> bool:
        """Whether its orders use and earn points: those that the site's own code places bypass the flow."""
        return self.placement is not Placement.BY_SITE

    @property
    def is_awaited(self) -> bool:
        """Whether the order is placed unpaid, and staff record the money once it has arrived."""
        return self.code in PAID_LATER


BUILT_IN: dict[str, Method] = {
    method.code: method
    for method in (
        # Title and text of Khalti are a setting of the site, which editors change.
        Method(code=PaymentMethod.KHALTI, title=gettext_lazy("Khalti"), placement=Placement.KHALTI),
        Method(
            code=PaymentMethod.COD,
            title=gettext_lazy("Cash on delivery"),
            text=gettext_lazy("Pay in cash when your order arrives."),
        ),
        Method(
            code=PaymentMethod.BANK_TRANSFER,
            title=gettext_lazy("Bank transfer"),
            text=gettext_lazy("Transfer the amount to our account. We send your order once the payment has arrived."),
        ),
    )
}
"""The methods that the flow knows, by code, in their usual order."""

WhyUnavailable = Callable[[OpenBasket], str]
"""A function of the site: why a method is not offered for this basket, written for the customer; "" if it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSettings:
    """What a site may choose of payment methods. The keys in the settings are these names in capitals."""

    methods: tuple[str, ...] = (PaymentMethod.KHALTI,)
    """The payment methods offered, in this order."""
    own_methods: Mapping[str, str] = field(default_factory=dict)
    """The site's own payment methods, code → title: its own code places their orders."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """A line below a method: ``{"bank_transfer": "Nabil Bank, account 01-…"}``."""
    unavailable_reasons: Mapping[str, str] = field(default_factory=dict)
    """Code → dotted path of a function of the site (`WhyUnavailable`): ``{"cod": "shop.payments.why_no_cash"}``."""

    @property
    def offered(self) -> tuple[str, ...]:
        """The codes of all payment methods, in their order; own ones that ``methods`` does not place come last."""
        return (*self.methods, *(code for code in self.own_methods if code not in self.methods))

    def method(self, code: str) -> Method:
        """Return one of the offered methods, as this site has it. Raises ``KeyError`` for any other code."""
        if code in self.own_methods:
            method = Method(code=code, title=self.own_methods[code], placement=Placement.BY_SITE)
        else:
            method = BUILT_IN[code]
        return replace(method, text=self.texts.get(code) or method.text)


def method_options(
    chosen: MethodSettings, basket: OpenBasket, *, khalti_unavailable_reason: str
) -> list[MethodOption]:
    """Return the payment methods that a site offers for a basket, in its own order: `OpenBasket.methods`.

    ``khalti_unavailable_reason`` is the one of a `Quote`, "" if the customer can choose Khalti.
    """
    options = [_option(chosen.method(code), basket, chosen) for code in chosen.offered]
    return [
        _khalti_option(option, basket.site_key, khalti_unavailable_reason or option.unavailable_reason)
        if option.method == PaymentMethod.KHALTI
        else option
        for option in options
    ]


def _option(method: Method, basket: OpenBasket, chosen: MethodSettings) -> MethodOption:
    return MethodOption(
        method=method.code,
        title=str(method.title),
        text=str(method.text),
        unavailable_reason=_unavailable_reason(method.code, basket, chosen),
        takes_points=method.takes_points,
    )


def _khalti_option(option: MethodOption, site_key: str, unavailable_reason: str) -> MethodOption:
    khalti = conf.khalti_options(site_key)
    return replace(
        option,
        # The default texts are translated for the customer; texts that an editor wrote are shown as written.
        title=_(khalti.title),
        text=option.text or _(khalti.text),
        unavailable_reason=unavailable_reason,
        test_mode=khalti.test_mode,
    )


def _unavailable_reason(code: str, basket: OpenBasket, chosen: MethodSettings) -> str:
    path = chosen.unavailable_reasons.get(code)
    if not path:
        return ""
    try:
        return str(import_string(path)(basket) or "")
    except CannotPay as exc:  # the basket cannot be priced
        return str(exc)
    except Exception as exc:  # noqa: BLE001 - of the site's own; what cannot be said is not offered
        log.error("%s: %s", path, safe_trace(exc))
        return _("This payment method is not available at the moment.")


Kind = TypeVar("Kind", bound=MethodSettings)
Type = tuple[Callable[[Any], bool], str]
"""A test of a value, and what the value must be."""


class HostSettings(Generic[Kind]):
    """Read a host's dict in ``LOYALINK_KHALTI``; call it for the current settings, at each use."""

    def __init__(self, shop: str, kind: type[Kind], types: Mapping[str, Type] | None = None) -> None:
        """Read the dict of ``shop`` as a ``kind``; ``types`` has what its fields besides those of methods must be."""
        self._shop, self._kind = shop, kind
        self._types = {**_TYPES, **(types or {})}

    def __call__(self) -> Kind:
        """Return the settings. What `faults` reports has its default: no order stops because of a misspelling."""
        return self._kind(**self._read()[0])

    def faults(self) -> list[str]:
        """Return a sentence for each setting that is unknown or cannot be used, for the check."""
        values, found = self._read()
        for code, path in values.get("unavailable_reasons", {}).items():
            try:
                import_string(path)
            except ImportError as exc:
                found.append(f'{self._name}["UNAVAILABLE_REASONS"]["{code}"]: {exc}.')
        return found

    @property
    def _name(self) -> str:
        return f'LOYALINK_KHALTI["{self._shop.upper()}"]'

    def _read(self) -> tuple[dict[str, Any], list[str]]:
        values, found = self._typed(conf.host_settings(self._shop))
        own = values.get("own_methods", {})
        if taken := sorted(code for code in own if code in set(PaymentMethod)):
            found.append(f'{self._name}["OWN_METHODS"]: {taken} is a method of ours.')
            values["own_methods"] = own = {code: title for code, title in own.items() if code not in taken}
        known = [*map(str, BUILT_IN), *own]
        found += [
            f'{self._name}["{key}"]: {code!r} is no payment method{_meant(code, known)}'
            for key in ("METHODS", "TEXTS", "UNAVAILABLE_REASONS")
            for code in values.get(key.lower(), ())
            if code not in known
        ]
        if methods := tuple(code for code in dict.fromkeys(values.pop("methods", ())) if code in known):
            values["methods"] = methods
        return values, found

    def _typed(self, given: Any) -> tuple[dict[str, Any], list[str]]:
        """Return the values of a right type by their names in the dataclass, and a sentence for each other key."""
        if not isinstance(given, Mapping):
            return {}, [f"{self._name} must be a dict, not {given!r}."]
        names = {option.name.upper(): option.name for option in fields(self._kind)}
        values: dict[str, Any] = {}
        found = []
        for key, value in given.items():
            if key not in names:
                found.append(f"{self._name} has no key {key!r}{_meant(key, names)}")
                continue
            is_right, description = self._types[names[key]]
            if is_right(value):
                values[names[key]] = value
            else:
                found.append(f'{self._name}["{key}"] must be {description}, not {value!r}.')
        return values, found


def is_text(value: Any) -> bool:
    """Return whether a setting is a text, perhaps an empty one."""
    return isinstance(value, str)


def is_name(value: Any) -> bool:
    """Return whether a setting is a text that is not empty."""
    return is_text(value) and bool(value)


def _is_methods(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(is_text, value))


def _is_titles(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(each, str | Promise) for pair in value.items() for each in pair
    )


def _is_paths(value: Any) -> bool:
    return isinstance(value, Mapping) and all(is_name(each) for pair in value.items() for each in pair)


def _meant(name: object, known: Collection[str]) -> str:
    near = conf.nearest(name, known)
    return f". Did you mean {near!r}?" if near else f": they are {', '.join(sorted(known))}."


TEXT: Type = (is_text, 'text in quotation marks, "SS-"')
_TYPES: dict[str, Type] = {
    "methods": (_is_methods, 'a list of payment methods, ["khalti", "cod"]'),
    "own_methods": (_is_titles, 'a dict of codes and titles, {"fonepay": "Fonepay"}'),
    "texts": (_is_titles, 'a dict of payment methods and texts, {"bank_transfer": "Nabil Bank, account 01-…"}'),
    "unavailable_reasons": (
        _is_paths,
        'a dict of payment methods and dotted paths of functions, {"cod": "shop.payments.why_no_cash"}',
    ),
}
