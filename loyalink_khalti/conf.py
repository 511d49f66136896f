"""Settings in, live objects out. The only reader of settings and environment, and the only one that decrypts keys.

Everything is read when it is asked for, from the dict ``LOYALINK_KHALTI`` and, for what a deployment sets, from the
environment: ``KHALTI_SECRET_KEY``, ``KHALTI_BASE_URL``, ``LOYALINK_FERNET_KEYS``.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.module_loading import import_string

from loyalink_khalti.khalti.client import Khalti, is_khaltis
from loyalink_khalti.khalti.secret import Secret
from loyalink_khalti.khalti.transport import Transport
from loyalink_khalti.payments.models import Credentials
from loyalink_khalti.ports import Shop

TEST, LIVE = "test", "live"
SERVERS = {TEST: "https://dev.khalti.com/api/v2/", LIVE: "https://khalti.com/api/v2/"}
DEFAULT_SITE = "default"
EDITORS, DEPLOYMENT = "editors", "deployment"
"""Where a key comes from: the site's settings in Wagtail, or the environment and ``LOYALINK_KHALTI``."""

DEFAULTS: dict[str, Any] = {
    "SHOPS": {},
    "SITE_URL": "",
    "DEADLINE": 10.0,
    "LIVE_PAYMENTS_PER_VISITOR": 3,
    "LIVE_PAYMENTS_PER_MEMBER": 1,
    "KHALTI_SECRET_KEY": "",
    "KHALTI_BASE_URL": "",
    "FERNET_KEYS": (),
    "GUEST_CLAIMS": False,
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
class KeyInUse:
    """What may be told of the key that a site uses: never the key. ``source`` is "" where there is none."""

    source: str = ""
    mask: str = ""
    fingerprint: str = ""
    fault: str = ""
    """Why it cannot be used, as a sentence."""


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
    value = chosen.get(name) or os.environ.get(_ENVIRONMENT.get(name, "")) or chosen.get(name, DEFAULTS[name])
    if name == "FERNET_KEYS" and isinstance(value, str):
        return [key.strip() for key in value.split(",") if key.strip()]
    return value


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
    return key_of_site(sites.find_for_request(request) if request is not None else None)


def key_of_site(site: Any) -> str:
    """The ``site_key`` of one of Wagtail's sites."""
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
        return translation.gettext_noop("Khalti is switched off in this shop just now.")
    used = key_in_use(key, environment)
    return "" if used.source and not used.fault else translation.gettext_noop("Khalti is not set up in this shop yet.")


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


def is_simulated() -> bool:
    """Whether the deployment's ``KHALTI_BASE_URL`` names a server that is not Khalti's own."""
    return not _is_khaltis_own(base_url(TEST))


# Keys


def credentials(key: str) -> Credentials:
    """The key with which a site opens new payments: the editors', else the deployment's."""
    environment = _environment(_chosen(key))
    current = _current(key, environment)
    if current is not None and current.ciphertext:
        fingerprint, ciphertext = current.fingerprint, bytes(current.ciphertext)
    else:
        secret = deployments_key()
        if secret is None:
            raise ImproperlyConfigured("no Khalti key: enter one in the site's settings or set KHALTI_SECRET_KEY")
        # A row without the key, so that payments can name it.
        fingerprint, ciphertext = secret.fingerprint, b""
    if current is not None and (current.fingerprint, current.base_url) == (fingerprint, base_url(environment)):
        return current
    try:
        return _replace(key, environment, fingerprint=fingerprint, ciphertext=ciphertext)
    except IntegrityError:  # another process has just done the same
        return Credentials.objects.get(site_key=key, environment=environment, retired_at=None)


def key_in_use(key: str, environment: str) -> KeyInUse:
    """What may be shown of the key that a site uses in an environment, and what is wrong with it."""
    current = _current(key, environment)
    if current is not None and current.ciphertext:
        try:
            return KeyInUse(source=EDITORS, mask=str(secret_of(current)), fingerprint=current.fingerprint)
        except ImproperlyConfigured as exc:
            return KeyInUse(source=EDITORS, fingerprint=current.fingerprint, fault=str(exc))
    try:
        secret = deployments_key()
    except ImproperlyConfigured as exc:
        return KeyInUse(source=DEPLOYMENT, fault=str(exc))
    return KeyInUse(source=DEPLOYMENT, mask=str(secret), fingerprint=secret.fingerprint) if secret else KeyInUse()


def secret_in_use(key: str, environment: str) -> Secret | None:
    """The key that a site uses in an environment, to test it; None where there is none."""
    current = _current(key, environment)
    return secret_of(current) if current is not None and current.ciphertext else deployments_key()


def save_key(key: str, environment: str, secret: Secret) -> Credentials:
    """Encrypt and keep a key for a site; the one before is retired, for payments that it opened."""
    ciphertext = fernet().encrypt(secret.reveal().encode())
    current = _current(key, environment)
    if current is None or (current.fingerprint, current.base_url) != (secret.fingerprint, base_url(environment)):
        return _replace(key, environment, fingerprint=secret.fingerprint, ciphertext=ciphertext)
    current.ciphertext = ciphertext
    current.save(update_fields=["ciphertext"])
    return current


def remove_key(key: str, environment: str) -> bool:
    """Retire the editors' key of a site, for payments that it opened; False where there is none."""
    kept = Credentials.objects.filter(site_key=key, environment=environment, retired_at=None).exclude(ciphertext=b"")
    return bool(kept.update(retired_at=timezone.now()))


def _current(key: str, environment: str) -> Credentials | None:
    return Credentials.objects.filter(site_key=key, environment=environment, retired_at=None).first()


def _replace(key: str, environment: str, *, fingerprint: str, ciphertext: bytes) -> Credentials:
    with transaction.atomic():
        before = Credentials.objects.filter(site_key=key, environment=environment, retired_at=None)
        before.update(retired_at=timezone.now())
        return Credentials.objects.create(
            site_key=key,
            environment=environment,
            base_url=base_url(environment),
            fingerprint=fingerprint,
            ciphertext=ciphertext,
        )


def secret_of(row: Credentials) -> Secret | None:
    """The key of a row; None where it came from the deployment and is no longer there."""
    if row.ciphertext:
        return _decrypted(row)
    secret = deployments_key()
    if secret is not None and secret.fingerprint == row.fingerprint:
        return secret
    # The same key may since have been entered in the settings.
    same = Credentials.objects.filter(fingerprint=row.fingerprint).exclude(ciphertext=b"").order_by("-pk").first()
    return _decrypted(same) if same else None


def _decrypted(row: Credentials) -> Secret:
    try:
        return Secret(fernet().decrypt(bytes(row.ciphertext)).decode())
    except InvalidToken as exc:
        raise KeyUnreadable(f"the Khalti key {row.fingerprint} cannot be read with LOYALINK_FERNET_KEYS") from exc


def deployments_key() -> Secret | None:
    """``KHALTI_SECRET_KEY``, for sites without a key of their own."""
    text = str(get("KHALTI_SECRET_KEY")).strip()
    try:
        return Secret(text) if text else None
    except ValueError:
        raise ImproperlyConfigured("KHALTI_SECRET_KEY is not a key of Khalti's") from None


def khalti(row: Credentials) -> tuple[Khalti, bool]:
    """Khalti as seen with the key that opened a payment, and whether that key is still there.

    Where it is gone (an environment variable changed), the site's current key of the same environment stands in.
    """
    secret = secret_of(row)
    if secret is not None:
        # A simulator is wherever KHALTI_BASE_URL says today; Khalti's own servers stay apart.
        moved = is_simulated() and not _is_khaltis_own(row.base_url)
        return _at(base_url(row.environment) if moved else row.base_url, secret), True
    stand_in = secret_in_use(row.site_key, row.environment)
    if stand_in is None:
        raise ImproperlyConfigured(f"the Khalti key {row.fingerprint} is gone, and no other stands in for it")
    return client(row.environment, stand_in), False


def client(environment: str, secret: Secret) -> Khalti:
    """Khalti with any key, where an environment's calls go today."""
    return _at(base_url(environment), secret)


def _at(url: str, secret: Secret) -> Khalti:
    try:
        return Khalti(base_url=url, secret=secret, transport=_transport(deadline()))
    except ValueError as exc:
        raise ImproperlyConfigured(f"Khalti cannot be called at {url}: {exc}") from exc


def _is_khaltis_own(url: str) -> bool:
    return is_khaltis(url, base_url=SERVERS[LIVE])


_transport = cache(lambda seconds: Transport(deadline=seconds))


def deadline() -> float:
    """Seconds within which any call to Khalti is over."""
    return float(get("DEADLINE"))


def fernet() -> MultiFernet:
    """What keys are encrypted with; ``ImproperlyConfigured`` where ``LOYALINK_FERNET_KEYS`` is missing or wrong."""
    keys = get("FERNET_KEYS")
    if not keys:
        raise ImproperlyConfigured("LOYALINK_FERNET_KEYS is not set, so Khalti's key cannot be kept or read")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except (ValueError, TypeError):
        # Not "from": the error's own frames hold the key.
        raise ImproperlyConfigured("LOYALINK_FERNET_KEYS holds something that is not a Fernet key") from None


def oscar_options() -> Mapping[str, Any]:
    """Settings of the Oscar adapter, as given; it has the defaults."""
    return cast(Mapping[str, Any], get("OSCAR"))
