"""Khalti's secret keys: stored encrypted, shown masked. Only this module decrypts them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.dispatch import Signal
from django.utils import timezone

from loyalink_khalti.khalti.credentials import Secret
from loyalink_khalti.payments.credentials import Credentials
from loyalink_khalti.returning import Given, Select

from .settings import base_url, environment_of, get, is_khalti_server, khalti_settings

EDITORS, DEPLOYMENT = "editors", "deployment"
"""The source of a key: the site's settings in Wagtail, or the environment and ``LOYALINK_KHALTI``."""


deployment_key_replaced = Signal()
"""Sent in the transaction in which a site begins to use another key or address of the deployment.

``site_key``, ``environment``, and the fingerprints ``former`` and ``fingerprint``.
"""


class NoKeyInThisProcess(ImproperlyConfigured):
    """This process has no key at all, as under cron without the server's environment. It says nothing of a payment."""


class SecretKeyUnreadable(NoKeyInThisProcess):
    """A stored secret key cannot be decrypted with this process's ``LOYALINK_FERNET_KEYS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeyInfo:
    """What may be shown of a site's current key, never the key itself. ``source`` is "" without a key."""

    source: str = ""
    mask: str = ""
    fingerprint: str = ""
    error: str = ""
    """Why it cannot be used, as a sentence; "" when it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRows:
    """What a site's Khalti rests on: the editors' settings, and the row of the current key of their environment."""

    site_key: str
    saved: Any
    """None where editors have saved none."""
    current: Credentials | None

    @property
    def environment(self) -> str:
        return environment_of(self.saved)


def gateway_rows(site_key: str) -> GatewayRows:
    """Read the rows of a site's Khalti; two statements."""
    saved = khalti_settings(site_key)
    return GatewayRows(site_key=site_key, saved=saved, current=_current(site_key, environment_of(saved)))


def credentials(site_key: str, rows: GatewayRows | None = None) -> Credentials:
    """Return the row of the key with which a site opens new payments: the editors', else the deployment's.

    Where the key or its server has changed, the row before it is retired and a new one made. ``rows`` are those that
    the caller has just read. Raises ``ImproperlyConfigured`` when there is neither key.
    """
    rows = rows or gateway_rows(site_key)
    environment, current = rows.environment, rows.current
    if current is not None and current.ciphertext:
        fingerprint, ciphertext = current.fingerprint, bytes(current.ciphertext)
    else:
        secret = deployment_secret()
        if secret is None:
            raise ImproperlyConfigured("no Khalti key: enter one in the site's settings or set KHALTI_SECRET_KEY")
        # The row has no ciphertext: payments refer to the key by its fingerprint.
        fingerprint, ciphertext = secret.fingerprint, b""
    if current is not None and (current.fingerprint, current.base_url) == (fingerprint, base_url(environment)):
        return current
    try:
        with transaction.atomic():
            row = _replace(site_key, environment, fingerprint=fingerprint, ciphertext=ciphertext)
            if current is not None:
                deployment_key_replaced.send(
                    sender=Credentials, site_key=site_key, environment=environment, former=current.fingerprint,
                    fingerprint=fingerprint,
                )  # fmt: skip
        return row
    except IntegrityError:  # another process has just made the same row
        return Credentials.objects.get(site_key=site_key, environment=environment, retired_at=None)


def secret_key_info(site_key: str, environment: str) -> SecretKeyInfo:
    """Return what may be shown of a site's current key for an environment, and why it cannot be used."""
    return info_of(_current(site_key, environment))


def info_of(current: Credentials | None) -> SecretKeyInfo:
    """Return what may be shown of the key of a site whose current row this is."""
    if current is not None and current.ciphertext:
        try:
            return SecretKeyInfo(source=EDITORS, mask=str(secret_of(current)), fingerprint=current.fingerprint)
        except ImproperlyConfigured as exc:
            return SecretKeyInfo(source=EDITORS, fingerprint=current.fingerprint, error=str(exc))
    try:
        secret = deployment_secret()
    except ImproperlyConfigured as exc:
        return SecretKeyInfo(source=DEPLOYMENT, error=str(exc))
    return (
        SecretKeyInfo(source=DEPLOYMENT, mask=str(secret), fingerprint=secret.fingerprint)
        if secret
        else SecretKeyInfo()
    )


def current_secret(site_key: str, environment: str) -> Secret | None:
    """Return a site's current key for an environment, or None without one. Raises ``SecretKeyUnreadable``."""
    current = _current(site_key, environment)
    return secret_of(current) if current is not None and current.ciphertext else deployment_secret()


def stand_in(row: Credentials) -> Secret | None:
    """Return the key that looks up the payments of a row whose own key is gone; None without one.

    It is the site's current key of the same environment, for the same server: Khalti's servers do not know each
    other's payments, and a simulator knows none of Khalti's. Raises ``SecretKeyUnreadable``.
    """
    server = base_url(row.environment)
    is_same_server = server == row.base_url or not (is_khalti_server(server) or is_khalti_server(row.base_url))
    return current_secret(row.site_key, row.environment) if is_same_server else None


def save_secret_key(site_key: str, environment: str, secret: Secret) -> Credentials:
    """Store a site's key encrypted and retire the previous one, which stays for the payments that it opened.

    Raises ``ImproperlyConfigured`` without usable Fernet keys.
    """
    ciphertext = fernet().encrypt(secret.reveal().encode())
    current = _current(site_key, environment)
    if current is None or (current.fingerprint, current.base_url) != (secret.fingerprint, base_url(environment)):
        return _replace(site_key, environment, fingerprint=secret.fingerprint, ciphertext=ciphertext)
    current.ciphertext = ciphertext
    current.save(update_fields=["ciphertext"])
    return current


def remove_secret_key(site_key: str, environment: str) -> bool:
    """Retire the editors' key of a site; it stays for the payments that it opened. Return False without a key."""
    rows = Credentials.objects.filter(site_key=site_key, environment=environment, retired_at=None)
    return bool(rows.exclude(ciphertext=b"").update(retired_at=timezone.now()))


class RotationResult(Enum):
    """The result for one stored key when the Fernet keys are rotated."""

    ROTATED = "rotated"
    UP_TO_DATE = "up to date"
    UNREADABLE = "unreadable"


def rotate_secret_keys() -> Iterator[tuple[Credentials, RotationResult]]:
    """Encrypt every stored key with the first of ``LOYALINK_FERNET_KEYS`` and yield the result for each.

    Each row is one statement. After an interruption every key is readable with the old and the new list, and the next
    call continues. Raises ``ImproperlyConfigured`` without usable Fernet keys, before anything is written.
    """
    fernet()
    rows, last = Credentials.objects.exclude(ciphertext=b"").order_by("pk"), 0
    while row := rows.filter(pk__gt=last).first():  # one by one, to include keys saved meanwhile
        last = row.pk
        yield row, _rotate(row)


def _rotate(row: Credentials) -> RotationResult:
    """Rotate one key. Overwrite only what was read: a key saved meanwhile is read again."""
    while True:
        stored = bytes(row.ciphertext)
        if _is_encrypted_with_first(stored):
            return RotationResult.UP_TO_DATE
        try:
            secret = _decrypted(row)
        except SecretKeyUnreadable:
            return RotationResult.UNREADABLE
        row.ciphertext = fernet().rotate(stored)
        if _decrypted(row) != secret or not _is_encrypted_with_first(row.ciphertext):
            raise SecretKeyUnreadable(
                f"the Khalti key {row.fingerprint} would not be readable after the rotation; it is unchanged"
            )
        if Credentials.objects.filter(pk=row.pk, ciphertext=stored).update(ciphertext=row.ciphertext):
            return RotationResult.ROTATED
        row.refresh_from_db()


def _is_encrypted_with_first(ciphertext: bytes) -> bool:
    try:
        Fernet(get("FERNET_KEYS")[0]).decrypt(ciphertext)
    except InvalidToken:
        return False
    return True


def _current(site_key: str, environment: str) -> Credentials | None:
    found: Credentials | None = _CURRENT.first(site_key=site_key, environment=environment)
    return found


_CURRENT = Select(
    Credentials,
    lambda: Credentials.objects.filter(
        site_key=Given("site_key"), environment=Given("environment"), retired_at=None
    ).order_by("pk")[:1],
)


def _replace(site_key: str, environment: str, *, fingerprint: str, ciphertext: bytes) -> Credentials:
    with transaction.atomic():
        previous = Credentials.objects.filter(site_key=site_key, environment=environment, retired_at=None)
        previous.update(retired_at=timezone.now())
        return Credentials.objects.create(
            site_key=site_key,
            environment=environment,
            base_url=base_url(environment),
            fingerprint=fingerprint,
            ciphertext=ciphertext,
        )


def secret_of(row: Credentials) -> Secret | None:
    """Return the key of a row; None when it came from the deployment and is gone. Raises ``SecretKeyUnreadable``.

    A key is known by its fingerprint: one that cannot be read may be the deployment's, or have been entered again.
    """
    unreadable: NoKeyInThisProcess | None = None
    if row.ciphertext:
        try:
            return _decrypted(row)
        except NoKeyInThisProcess as exc:
            unreadable = exc
    secret = deployment_secret()
    if secret is not None and secret.fingerprint == row.fingerprint:
        return secret
    same = Credentials.objects.filter(fingerprint=row.fingerprint).exclude(ciphertext=b"")
    for other in same.order_by("-pk"):
        try:
            return _decrypted(other)
        except NoKeyInThisProcess as exc:
            unreadable = unreadable or exc
    if unreadable is not None:
        raise unreadable
    return None


def _decrypted(row: Credentials) -> Secret:
    try:
        return Secret(fernet().decrypt(bytes(row.ciphertext)).decode())
    except InvalidToken as exc:
        raise SecretKeyUnreadable(
            f"the Khalti key {row.fingerprint} cannot be read with LOYALINK_FERNET_KEYS"
        ) from exc


def deployment_secret() -> Secret | None:
    """Return ``KHALTI_SECRET_KEY``, the key of sites without one of their own. Raises ``ImproperlyConfigured``."""
    text = str(get("KHALTI_SECRET_KEY")).strip()
    try:
        return Secret(text) if text else None
    except ValueError:
        raise ImproperlyConfigured("KHALTI_SECRET_KEY is not a Khalti key") from None


def fernet() -> MultiFernet:
    """Return the cipher for stored keys. Raises ``ImproperlyConfigured`` without usable ``LOYALINK_FERNET_KEYS``."""
    keys = get("FERNET_KEYS")
    if not keys:
        raise NoKeyInThisProcess("LOYALINK_FERNET_KEYS is not set, so Khalti keys cannot be encrypted or decrypted")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except (ValueError, TypeError):
        # `from None`: the frames of the error hold the key.
        raise ImproperlyConfigured("LOYALINK_FERNET_KEYS contains a value that is not a Fernet key") from None
