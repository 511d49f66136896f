"""Which settings of ``LOYALINK_KHALTI`` are unknown or of a wrong type, for the checks."""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any

from django.conf import settings

from .settings import DEFAULTS, get

Test = Callable[[Any], bool]

SECRETS = frozenset({"KHALTI_SECRET_KEY", "FERNET_KEYS", "HEALTH_TOKEN"})
"""Settings of which no message shows the value."""


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(map(is_text, value))


def _is_addresses(value: Any) -> bool:
    typed = value.split(",") if is_text(value) else value
    return is_texts(typed) and all("@" in address for address in typed if address.strip())


def _is_shops(value: Any) -> bool:
    return isinstance(value, Mapping) and all(is_text(name) and name and is_text(value[name]) for name in value)


_TEXT: tuple[Test, str] = (is_text, "text in quotation marks")


def _one_of(*choices: str) -> tuple[Test, str]:
    quoted = [f'"{choice}"' for choice in choices]
    return lambda value: is_text(value) and value in choices, f"{', '.join(quoted[:-1])} or {quoted[-1]}"


_YES_OR_NO: tuple[Test, str] = (lambda value: isinstance(value, bool), "True or False, without quotation marks")
_TYPES: dict[str, tuple[Test, str]] = {
    "SHOPS": (_is_shops, 'a dict of names and paths, {"oscar": "loyalink_khalti.hosts.oscar.shop.OscarShop"}'),
    "API": (lambda value: isinstance(value, Mapping), 'a dict, {"RETURN_ADDRESSES": ["myapp://paid"]}'),
    "SITE_URL": _TEXT,
    "ALERTS_TO": (_is_addresses, 'a list of e-mail addresses, ["shopkeeper@shop.example"]'),
    "KHALTI_SECRET_KEY": _TEXT,
    "KHALTI_BASE_URL": _TEXT,
    "FERNET_KEYS": (lambda value: is_text(value) or is_texts(value), "a list of keys in quotation marks"),
    "CACHE": _TEXT,
    "REPORTS_DATABASE": (
        lambda value: value is None or is_text(value),
        "the name of a database in DATABASES, or None",
    ),
    "DIGITS": _one_of("latin", "devanagari", "by_language"),
    "CALENDAR": _one_of("ad", "bs", "ad_bs", "bs_ad", "by_language"),
    "COLOUR_SCHEME": _one_of("host", "light", "dark", "auto"),
    "CONTENT_SECURITY_POLICY": _TEXT,
    "GUEST_CLAIMS": _YES_OR_NO,
    "ALLOW_SELF_DEALING": _YES_OR_NO,
    "ALLOW_TEST_PAYMENTS": _YES_OR_NO,
    "EMAIL_IS_VERIFIED": _TEXT,
    "CREATE_ACCOUNT": _TEXT,
    "HEALTH_TOKEN": _TEXT,
}
"""What a setting that is no number must be, and its description. Numbers: ``MINIMUMS`` in ``checks/deployment.py``."""


def wrong_types() -> list[tuple[str, str]]:
    """Return each setting that the code cannot read, with what it must be; ("", …) for the dict itself."""
    if not isinstance(getattr(settings, "LOYALINK_KHALTI", {}), Mapping):
        return [("", 'a dict, {"SITE_URL": "https://shop.example", …}')]
    values = {name: get(name) for name in _TYPES}
    return [(name, description) for name, (is_right, description) in _TYPES.items() if not is_right(values[name])]


def unknown_settings() -> list[tuple[str, str]]:
    """Return each key that neither this package nor a host in ``SHOPS`` reads, with the name that is meant perhaps."""
    known = {*DEFAULTS, *(name.upper() for name in get("SHOPS"))}
    given = set(getattr(settings, "LOYALINK_KHALTI", {}))
    return [(str(name), nearest(name, known)) for name in sorted(given - known, key=str)]


def nearest(name: object, known: Collection[str]) -> str:
    """Return the known name that is nearest to ``name``, for a hint; "" where none is near."""
    by_upper, typed = {each.upper(): each for each in known}, str(name).upper()
    found = [each for each in by_upper if typed in each]
    if len(found) != 1:
        found = get_close_matches(typed, by_upper, n=1)
    return by_upper[found[0]] if found else ""
