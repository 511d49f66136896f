"""Settings in, live objects out. The only reader of settings and environment, and the only one that decrypts keys.

Everything is read when it is asked for, from the dict ``LOYALINK_KHALTI`` and, for what a deployment sets, from the
environment: ``KHALTI_SECRET_KEY``, ``KHALTI_BASE_URL``, ``LOYALINK_FERNET_KEYS``.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string

from loyalink_khalti.khalti.client import Khalti
from loyalink_khalti.khalti.secret import Secret
from loyalink_khalti.khalti.transport import Transport
from loyalink_khalti.payments.models import Credentials
from loyalink_khalti.ports import Shop

TEST, LIVE = "test", "live"
SERVERS = {TEST: "https://dev.khalti.com/api/v2/", LIVE: "https://khalti.com/api/v2/"}
DEFAULT_SITE = "default"

DEFAULTS: dict[str, Any] = {
    "SHOPS": {},
    "SITE_URL": "",
    "DEADLINE": 10.0,
    "LIVE_PAYMENTS_PER_VISITOR": 3,
    "LIVE_PAYMENTS_PER_MEMBER": 1,
    "KHALTI_SECRET_KEY": "",
    "KHALTI_BASE_URL": "",
    "FERNET_KEYS": (),
    "OSCAR": {},
}
_ENVIRONMENT = {
    "KHALTI_SECRET_KEY": "KHALTI_SECRET_KEY",
    "KHALTI_BASE_URL": "KHALTI_BASE_URL",
    "FERNET_KEYS": "LOYALINK_FERNET_KEYS",
}


class KeyUnreadable(ImproperlyConfigured):
    """The stored secret key cannot be decrypted with ``LOYALINK_FERNET_KEYS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KhaltiOptions:
    """How a site offers Khalti; ``why_off`` is a sentence for the shopper where it does not."""

    enabled: bool
    environment: str
    title: str
    text: str
    test_mode: bool
    why_off: str


def get(name: str) -> Any:
    """One setting: from ``LOYALINK_KHALTI``, the environment, or its default."""
    chosen = getattr(settings, "LOYALINK_KHALTI", {})
    if chosen.get(name):
        return chosen[name]
    if name in _ENVIRONMENT and os.environ.get(_ENVIRONMENT[name]):
        value = os.environ[_ENVIRONMENT[name]]
        return [key.strip() for key in value.split(",") if key.strip()] if name == "FERNET_KEYS" else value
    return chosen.get(name, DEFAULTS[name])


# Shops


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


# Sites


def site_key(request: HttpRequest | None = None) -> str:
    """The name under which a site's payments and points are kept: its host name, or ``default``."""
    sites: Any = apps.get_model("wagtailcore", "Site")
    site = sites.find_for_request(request) if request is not None else None
    return DEFAULT_SITE if site is None or site.is_default_site else str(site.hostname)


def site_url(key: str) -> str:
    """The address of a site as the world sees it, without a trailing slash; never taken from a request."""
    if get("SITE_URL"):
        return str(get("SITE_URL")).rstrip("/")
    site = _site(key)
    if site is None:
        raise ImproperlyConfigured('set LOYALINK_KHALTI["SITE_URL"], or make a default Site in Wagtail')
    return str(site.root_url)


def _site(key: str) -> Any:
    sites = apps.get_model("wagtailcore", "Site").objects
    return sites.filter(**({"is_default_site": True} if key == DEFAULT_SITE else {"hostname": key})).first()


# Khalti


def khalti_options(key: str) -> KhaltiOptions:
    """What the checkout shows of Khalti on a site."""
    chosen = _chosen(key)
    environment = _environment(chosen)
    enabled = bool(chosen.enabled) if chosen else True
    return KhaltiOptions(
        enabled=enabled,
        environment=environment,
        title=chosen.title if chosen else "Khalti",
        text=chosen.text if chosen else "Pay with your Khalti wallet, mobile banking or card.",
        test_mode=base_url(environment) != SERVERS[LIVE],
        why_off=_why_off(key, environment, enabled=enabled),
    )


def _why_off(key: str, environment: str, *, enabled: bool) -> str:
    if not enabled:
        return "Khalti is switched off in this shop just now."
    if _current(key, environment) is None and not get("KHALTI_SECRET_KEY"):
        return "Khalti is not set up in this shop yet."
    return ""


def _chosen(key: str) -> Any:
    """The editors' settings of a site, None where nobody has saved any."""
    sites = {"site__is_default_site": True} if key == DEFAULT_SITE else {"site__hostname": key}
    return apps.get_model("loyalink_khalti", "KhaltiSettings").objects.filter(**sites).first()


def _environment(chosen: Any) -> str:
    if chosen is not None:
        return str(chosen.environment)
    return LIVE if get("KHALTI_BASE_URL") == SERVERS[LIVE] else TEST


def base_url(environment: str) -> str:
    """The server of an environment: the deployment's ``KHALTI_BASE_URL`` where set, else Khalti's own."""
    url = str(get("KHALTI_BASE_URL") or SERVERS[environment])
    return url if url.endswith("/") else url + "/"


def credentials(key: str) -> Credentials:
    """The key with which a site opens new payments: the editors', else the environment's."""
    environment = _environment(_chosen(key))
    current = _current(key, environment)
    if current is not None and current.ciphertext:
        return current
    return _from_environment(key, environment, current)


def _current(key: str, environment: str) -> Credentials | None:
    return Credentials.objects.filter(site_key=key, environment=environment, retired_at=None).first()


def _from_environment(key: str, environment: str, current: Credentials | None) -> Credentials:
    """Keep a row, without the key, for the environment's key, so that payments can name it."""
    text = get("KHALTI_SECRET_KEY")
    if not text:
        raise ImproperlyConfigured("no Khalti secret key: enter one in the site's settings or set KHALTI_SECRET_KEY")
    fingerprint = Secret(text).fingerprint
    if current is not None and (current.fingerprint, current.base_url) == (fingerprint, base_url(environment)):
        return current
    return _replace(key, environment, fingerprint=fingerprint, ciphertext=b"")


def save_key(key: str, environment: str, secret: Secret) -> Credentials:
    """Encrypt and keep a new key for a site; the one before is retired, for payments that it opened."""
    ciphertext = _fernet().encrypt(secret.reveal().encode())
    return _replace(key, environment, fingerprint=secret.fingerprint, ciphertext=ciphertext)


def _replace(key: str, environment: str, *, fingerprint: str, ciphertext: bytes) -> Credentials:
    with transaction.atomic():
        Credentials.objects.filter(site_key=key, environment=environment, retired_at=None).update(
            retired_at=timezone.now()
        )
        return Credentials.objects.create(
            site_key=key,
            environment=environment,
            base_url=base_url(environment),
            fingerprint=fingerprint,
            ciphertext=ciphertext,
        )


def secret_of(row: Credentials) -> Secret | None:
    """The key of a row; None where it came from the environment and is no longer there."""
    if row.ciphertext:
        try:
            return Secret(_fernet().decrypt(bytes(row.ciphertext)).decode())
        except InvalidToken as exc:
            raise KeyUnreadable(f"the Khalti key {row.fingerprint} cannot be read with LOYALINK_FERNET_KEYS") from exc
    text = get("KHALTI_SECRET_KEY")
    secret = Secret(text) if text else None
    return secret if secret is not None and secret.fingerprint == row.fingerprint else None


def khalti(row: Credentials) -> tuple[Khalti, bool]:
    """Khalti as seen with the key that opened a payment, and whether that key is still there.

    Where it is gone (an environment variable changed), the site's current key of the same environment stands in.
    """
    secret = secret_of(row)
    if secret is not None:
        return _client(row, secret), True
    current = credentials(row.site_key)
    stand_in = secret_of(current) if current.environment == row.environment else None
    if stand_in is None:
        raise ImproperlyConfigured(f"the Khalti key {row.fingerprint} is gone, and no other stands in for it")
    return _client(current, stand_in), False


def client(environment: str, secret: Secret) -> Khalti:
    """Khalti with a key that is not stored, to test it."""
    return _at(base_url(environment), secret)


def _client(row: Credentials, secret: Secret) -> Khalti:
    # A stand-in for Khalti (a simulator) is wherever KHALTI_BASE_URL says today; Khalti's own servers stay apart.
    moved = get("KHALTI_BASE_URL") and not _is_khaltis_own(row.base_url) and not _is_khaltis_own(base_url(TEST))
    return _at(base_url(row.environment) if moved else row.base_url, secret)


def _at(url: str, secret: Secret) -> Khalti:
    try:
        return Khalti(base_url=url, secret=secret, transport=_transport(deadline()))
    except ValueError as exc:
        raise ImproperlyConfigured(f"Khalti cannot be called at {url}: {exc}") from exc


def _is_khaltis_own(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "khalti.com" or host.endswith(".khalti.com")


@cache
def _transport(deadline: float) -> Transport:
    return Transport(deadline=deadline)


def deadline() -> float:
    """Seconds within which any call to Khalti is over."""
    return float(get("DEADLINE"))


def _fernet() -> MultiFernet:
    keys = get("FERNET_KEYS")
    if not keys:
        raise ImproperlyConfigured(
            "set LOYALINK_FERNET_KEYS (newest first) so that Khalti's key can be kept encrypted; make one with: "
            'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
        )
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as exc:
        raise ImproperlyConfigured("LOYALINK_FERNET_KEYS holds something that is not a Fernet key") from exc


def oscar_options() -> Mapping[str, Any]:
    """Settings of the Oscar adapter, as given; it has the defaults."""
    return cast(Mapping[str, Any], get("OSCAR"))
