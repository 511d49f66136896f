"""Khalti as a site uses it: whether and how it is offered, and the live object that calls it."""

import logging
import os
from dataclasses import dataclass
from enum import Enum
from functools import cache

from django.core.exceptions import ImproperlyConfigured
from django.utils import translation

from loyalink_khalti.khalti.client import Khalti
from loyalink_khalti.khalti.gate import Places, gate
from loyalink_khalti.khalti.secret import Secret
from loyalink_khalti.khalti.transport import Transport
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Credentials

from .keys import key_in_use, secret_in_use, secret_of
from .servers import LIVE, SERVERS, base_url, chosen, environment_of, is_khaltis_own, is_simulated
from .settings import calls_at_once, deadline

log = logging.getLogger(__name__)

A_MOMENT = 2.0
"""seconds that a shopper's click waits for its turn to call Khalti"""


EVERYBODY, MEMBERS, STAFF = "everybody", "members", "staff"
"""To whom a site offers Khalti."""


class Lane(Enum):
    """Who calls Khalti, and so how long the call may wait for its turn among this process's calls."""

    LOOK = "look"
    """A page that only looks: it looks again by itself, and is told at once."""
    BEGIN = "begin"
    """A shopper's click: a moment."""
    STAFF = "staff"
    """A person who has asked for it: as long as a call may take."""
    JOB = "job"
    """A job, which counts its own threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KhaltiOptions:
    """How a site offers Khalti; ``why_off`` is a sentence for the shopper where it does not."""

    enabled: bool
    environment: str
    title: str
    text: str
    test_mode: bool
    why_off: str
    audience: str = EVERYBODY
    """Who may pay with it: ``EVERYBODY``, ``MEMBERS`` or ``STAFF``."""
    minimum_order: Paisa = Paisa(0)
    maximum_order: Paisa | None = None


def khalti_options(key: str) -> KhaltiOptions:
    """What the checkout shows of Khalti on a site."""
    found = chosen(key)
    environment = environment_of(found)
    enabled = bool(found.enabled) if found else True
    return KhaltiOptions(
        enabled=enabled,
        environment=environment,
        title=found.title if found else "Khalti",
        text=found.text if found else "Pay with your Khalti wallet, mobile banking or card.",
        test_mode=base_url(environment) != SERVERS[LIVE],
        why_off=_why_off(key, environment, enabled=enabled),
        audience=str(found.audience) if found else EVERYBODY,
        minimum_order=Paisa(found.minimum_order) if found else Paisa(0),
        maximum_order=Paisa(found.maximum_order) if found and found.maximum_order is not None else None,
    )


def _why_off(key: str, environment: str, *, enabled: bool) -> str:
    if not enabled:
        return translation.gettext_noop("Khalti is switched off in this shop just now.")
    used = key_in_use(key, environment)
    if used.fault:
        log.error("Khalti cannot be paid with at %s: %s", key, used.fault)
    if not used.source or used.fault:
        return translation.gettext_noop("Khalti is not set up in this shop yet.")
    if gate(base_url(environment)).is_shut:
        return translation.gettext_noop("Khalti does not answer just now. Try again in a minute, or pay another way.")
    return ""


def khalti(row: Credentials, lane: Lane = Lane.LOOK) -> tuple[Khalti, bool]:
    """Khalti as seen with the key that opened a payment, and whether that key is still there.

    Where it is gone (an environment variable changed), the site's current key of the same environment stands in.
    """
    secret = secret_of(row)
    if secret is not None:
        # A simulator is wherever KHALTI_BASE_URL says today; Khalti's own servers stay apart.
        moved = is_simulated() and not is_khaltis_own(row.base_url)
        return _at(base_url(row.environment) if moved else row.base_url, secret, lane), True
    stand_in = secret_in_use(row.site_key, row.environment)
    if stand_in is None:
        raise ImproperlyConfigured(f"the Khalti key {row.fingerprint} is gone, and no other stands in for it")
    return client(row.environment, stand_in, lane), False


def successor(row: Credentials, lane: Lane) -> Khalti | None:
    """Khalti with the key that took the place of one that Khalti no longer takes; None where none did."""
    other = secret_in_use(row.site_key, row.environment)
    return None if other is None or other.fingerprint == row.fingerprint else client(row.environment, other, lane)


def client(environment: str, secret: Secret, lane: Lane = Lane.STAFF) -> Khalti:
    """Khalti with any key, where an environment's calls go today."""
    return _at(base_url(environment), secret, lane)


def patience(lane: Lane) -> float:
    """Seconds for which a call may wait for its turn, before its deadline begins."""
    return {Lane.BEGIN: min(A_MOMENT, deadline()), Lane.STAFF: deadline()}.get(lane, 0.0)


def _at(url: str, secret: Secret, lane: Lane) -> Khalti:
    seconds = deadline()
    places = None if lane is Lane.JOB else _places(calls_at_once())
    try:
        return Khalti(
            base_url=url, secret=secret, transport=_transport(seconds), places=places, patience=patience(lane)
        )
    except ValueError as exc:
        raise ImproperlyConfigured(f"Khalti cannot be called at {url}: {exc}") from exc


_transport = cache(lambda seconds: Transport(deadline=seconds))
_places = cache(Places)
os.register_at_fork(after_in_child=_places.cache_clear)  # whose holders are threads of the parent
