"""Who gets alerts and how soon, with which token a monitor looks, and whose e-mail address is verified."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from .settings import get

DJANGOS_USER = "user"
"""The default of ``CREATE_ACCOUNT``: an account is Django's own user."""
SHORTEST_TOKEN = 20
"""Characters of ``HEALTH_TOKEN``; check E072."""


def alerts_to() -> list[str]:
    """Return the e-mail addresses that are notified of new Flags: ``ALERTS_TO``, else Django's ``MANAGERS``."""
    configured = get("ALERTS_TO") or ()
    if isinstance(configured, str):  # an environment variable holds one string
        configured = configured.split(",")
    addresses = [address for each in configured if (address := str(each).strip())]
    # An entry of MANAGERS is a pair of name and address; since Django 6.0 it may be an address.
    managers: list[Any] = [each if isinstance(each, str) else each[1] for each in settings.MANAGERS]
    return addresses or managers


def review_reminder_after() -> timedelta | None:
    """Return how long something may wait for staff before they get an e-mail about it; None: they get none."""
    hours = get("REVIEW_REMINDER_AFTER")
    return timedelta(hours=hours) if hours else None


def health_token() -> str:
    """Return the token with which a monitor reads the health page; "" where none opens it."""
    token = str(get("HEALTH_TOKEN"))
    return token if len(token) >= SHORTEST_TOKEN else ""


def email_is_verified(user: Any) -> bool:
    """Return whether the shop itself has verified this user's e-mail address, by its function ``EMAIL_IS_VERIFIED``.

    False without one: an address that somebody has only typed proves nothing.
    """
    path = str(get("EMAIL_IS_VERIFIED") or "")
    return bool(path and import_string(path)(user))


def account_function() -> Callable[[str, str, str], Any] | None:
    """Return the shop's own ``CREATE_ACCOUNT``: e-mail address, hashed password and name to a user.

    None where an account is Django's own user, the default.
    """
    path = str(get("CREATE_ACCOUNT"))
    return None if path == DJANGOS_USER else import_string(path)
