"""Khalti's secret keys: kept encrypted, shown masked. The only module that decrypts."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.utils import timezone

from loyalink_khalti.khalti.secret import Secret
from loyalink_khalti.payments.models import Credentials

from .servers import base_url, chosen, environment_of
from .settings import get

EDITORS, DEPLOYMENT = "editors", "deployment"
"""Where a key comes from: the site's settings in Wagtail, or the environment and ``LOYALINK_KHALTI``."""


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


def credentials(key: str) -> Credentials:
    """The key with which a site opens new payments: the editors', else the deployment's."""
    environment = environment_of(chosen(key))
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


class Rotated(Enum):
    """What became of a stored key when the Fernet keys were rotated."""

    NOW = "now"
    BEFORE = "before"
    UNREADABLE = "unreadable"


def rotate_keys() -> Iterator[tuple[Credentials, Rotated]]:
    """Encrypt every stored key anew with the first of ``LOYALINK_FERNET_KEYS``, telling of each what became of it.

    A row a statement: cut off anywhere, every key can be read with the old and the new list, and the next call goes
    on. Raises ``ImproperlyConfigured`` before anything is written where there are no usable Fernet keys.
    """
    fernet()
    kept, last = Credentials.objects.exclude(ciphertext=b"").order_by("pk"), 0
    while row := kept.filter(pk__gt=last).first():  # one by one, so that what is saved meanwhile is met too
        last = row.pk
        yield row, _rotate(row)


def _rotate(row: Credentials) -> Rotated:
    """Write only over what was read: a key that was saved meanwhile is read again, and rotated in its turn."""
    while True:
        stored = bytes(row.ciphertext)
        if _is_of_the_first(stored):
            return Rotated.BEFORE
        try:
            secret = _decrypted(row)
        except KeyUnreadable:
            return Rotated.UNREADABLE
        row.ciphertext = fernet().rotate(stored)
        if _decrypted(row) != secret or not _is_of_the_first(row.ciphertext):
            raise KeyUnreadable(f"the Khalti key {row.fingerprint} would not be readable again; it stays as it was")
        if Credentials.objects.filter(pk=row.pk, ciphertext=stored).update(ciphertext=row.ciphertext):
            return Rotated.NOW
        row.refresh_from_db()


def _is_of_the_first(ciphertext: bytes) -> bool:
    try:
        Fernet(get("FERNET_KEYS")[0]).decrypt(ciphertext)
    except InvalidToken:
        return False
    return True


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
