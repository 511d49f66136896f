"""The settings of the JSON API, ``LOYALINK_KHALTI["API"]``, and the addresses to which apps may be returned."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from django.utils.module_loading import import_string

from .settings import get
from .shapes import is_text, is_texts, nearest

LONGEST_ADDRESS = 400
"""characters of a return address; a token and an outcome are added to it"""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,30}")
_NOT_FOR_APPS = frozenset(
    {"http", "javascript", "vbscript", "data", "file", "blob", "about", "view-source", "ws", "wss"}
)
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """What a shop may choose. The keys in the settings are these names in capitals."""

    authenticate: str = ""
    """The path of a function that takes a request and returns its user by the token in it, or None."""
    return_addresses: tuple[str, ...] = ()
    """The addresses of apps to which our return page may lead, each exactly as an app names it."""
    requests_per_minute: int = 120
    """Of one member, or of one browser session."""
    requests_per_minute_and_network: int = 3000
    """Of one network. Generous, because the customers of a mobile operator share addresses."""
    longest_wait: int = 20
    """seconds that a request for a payment's status may wait for a change"""


def api_options() -> ApiOptions:
    """Return the current settings. What `api_faults` reports has its default."""
    usable = {name.lower(): value for name, value in _chosen().items() if not _fault(name, value)}
    addresses = usable.get("return_addresses")
    return ApiOptions(**usable if addresses is None else {**usable, "return_addresses": tuple(addresses)})


def api_faults() -> list[tuple[str, str]]:
    """Return a sentence and a hint for each setting of the API that is unknown or cannot be used, for the check."""
    return [fault for name, value in _chosen().items() if (fault := _fault(name, value))]


def api_authenticate() -> Any:
    """Return the shop's function that finds the user of a token; None without one. Raises ``ImportError``."""
    path = str(_chosen().get("AUTHENTICATE") or "")
    return import_string(path) if path else None


def is_return_address(address: str) -> bool:
    """Return whether an app may be returned to exactly this address."""
    return bool(address) and address in api_options().return_addresses


def scheme_of(address: str) -> str:
    """Return the scheme of a return address in lower case: ``https``, ``myapp``."""
    return address.partition(":")[0].lower()


def _chosen() -> Mapping[str, Any]:
    chosen = get("API")
    return chosen if isinstance(chosen, Mapping) else {}


def _fault(name: Any, value: Any) -> tuple[str, str] | None:
    known = {field.name.upper(): field.default for field in fields(ApiOptions)}
    if name not in known:
        meant = nearest(name, known)
        hint = f"Did you mean {meant!r}?" if meant else f"Remove it. The settings are {', '.join(sorted(known))}."
        return f'LOYALINK_KHALTI["API"] has no setting {name!r}.', hint
    wanted = _wanted(name, value)
    return (
        (f'LOYALINK_KHALTI["API"][{name!r}] must be {wanted}, not {value!r}.', _hint(known[name])) if wanted else None
    )


def _hint(default: Any) -> str:
    return f"{default!r} is the default."


def _wanted(name: str, value: Any) -> str:
    """Return what the value of a setting must be, "" where it is."""
    if name == "AUTHENTICATE":
        return "" if is_text(value) and _is_function(value) else 'the path of a function, "shop.api.user_of_token"'
    if name == "RETURN_ADDRESSES":
        wrong = [each for each in value if not _is_address(each)] if is_texts(value) else [value]
        wanted = 'a list of addresses such as "myapp://paid" and "https://app.example/paid", without a query'
        return wanted if wrong else ""
    least = 0 if name == "LONGEST_WAIT" else 1
    is_right = isinstance(value, int) and not isinstance(value, bool) and least <= value
    if name == "LONGEST_WAIT":
        return "" if is_right and value <= 60 else "a number of seconds from 0 to 60"
    return "" if is_right else "a number above 0"


def _is_function(path: str) -> bool:
    try:
        return not path or callable(import_string(path))
    except ImportError:
        return False


def _is_address(address: str) -> bool:
    """Return whether an address can be one of an app: of its own scheme, or https (http on this machine)."""
    scheme, _colon, rest = address.partition("://")
    if (
        not rest
        or len(address) > LONGEST_ADDRESS
        or not address.isascii()
        or re.search(r"[\s\x00-\x1f?#\\\"<>]", address)
    ):
        return False
    if not _SCHEME.fullmatch(scheme):
        return False
    parts = urlsplit(address)
    if parts.username is not None or parts.password is not None:
        return False
    if scheme in {"http", "https"}:
        return bool(parts.hostname) and (scheme == "https" or parts.hostname in _THIS_MACHINE)
    return scheme not in _NOT_FOR_APPS
