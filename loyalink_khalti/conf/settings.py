"""The settings themselves: the dict ``LOYALINK_KHALTI`` and, for what a deployment sets, the environment.

Read when they are asked for, never kept.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from loyalink_khalti.ports import Shop

DEFAULTS: dict[str, Any] = {
    "SHOPS": {},
    "SITE_URL": "",
    "DEADLINE": 10.0,
    "CALLS_AT_ONCE": 0,
    "ALERTS_TO": (),
    "LIVE_PAYMENTS_PER_VISITOR": 3,
    "LIVE_PAYMENTS_PER_MEMBER": 1,
    "LIVE_PAYMENTS_PER_ADDRESS": 3,
    "UNKNOWN_TOKENS_PER_MINUTE": 30,
    "KHALTI_SECRET_KEY": "",
    "KHALTI_BASE_URL": "",
    "FERNET_KEYS": (),
    "GUEST_CLAIMS": False,
    "OSCAR": {},
}
USUAL_THREADS = 4
"""What a server is taken to have where its command line does not say."""

_ENVIRONMENT = {
    "KHALTI_SECRET_KEY": "KHALTI_SECRET_KEY",
    "KHALTI_BASE_URL": "KHALTI_BASE_URL",
    "FERNET_KEYS": "LOYALINK_FERNET_KEYS",
}


def get(name: str) -> Any:
    """One setting: from ``LOYALINK_KHALTI``, the environment, or its default."""
    chosen = getattr(settings, "LOYALINK_KHALTI", {})
    value = chosen.get(name) or os.environ.get(_ENVIRONMENT.get(name, "")) or chosen.get(name, DEFAULTS[name])
    if name == "FERNET_KEYS" and isinstance(value, str):
        return [key.strip() for key in value.split(",") if key.strip()]
    return value


def deadline() -> float:
    """Seconds within which any call to Khalti is over."""
    return float(get("DEADLINE"))


def alerts_to() -> list[str]:
    """The addresses that hear of new Flags: ``ALERTS_TO``, else Django's ``MANAGERS``."""
    chosen = get("ALERTS_TO") or ()
    if isinstance(chosen, str):  # as an environment has them
        chosen = chosen.split(",")
    addresses = [address for each in chosen if (address := str(each).strip())]
    # An entry of MANAGERS is a pair of name and address or, since Django 6.0, an address.
    managers: list[Any] = [each if isinstance(each, str) else each[1] for each in settings.MANAGERS]
    return addresses or managers


def calls_at_once() -> int:
    """How many calls to Khalti the pages of one process may have under way: half of its server's threads."""
    return int(get("CALLS_AT_ONCE")) or max(_server_threads() // 2, 1)


@cache
def _server_threads() -> int:
    """The threads of this server process, as its command line has them (gunicorn, uWSGI, waitress)."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--threads", type=int, default=USUAL_THREADS)
    words = [*shlex.split(os.environ.get("GUNICORN_CMD_ARGS", "")), *sys.argv[1:]]
    try:
        return int(parser.parse_known_args(words)[0].threads)
    except argparse.ArgumentError:
        return USUAL_THREADS


def oscar_options() -> Mapping[str, Any]:
    """Settings of the Oscar adapter, as given; it has the defaults."""
    return cast(Mapping[str, Any], get("OSCAR"))


def shop(name: str) -> Shop:
    """The host of that name in ``SHOPS``."""
    try:
        path = get("SHOPS")[name]
    except KeyError as exc:
        raise ImproperlyConfigured(f'LOYALINK_KHALTI["SHOPS"] names no shop {name!r}') from exc
    return _shop(path)


def shops() -> dict[str, Shop]:
    return {name: _shop(path) for name, path in get("SHOPS").items()}


@cache
def _shop(path: str) -> Shop:
    host = cast(Shop, import_string(path)())
    if not host.local:
        raise ImproperlyConfigured(f"{path}: a shop outside this database is not supported yet")
    return host
