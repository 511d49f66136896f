"""Checks of Khalti's server and of the keys for it."""

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q

from loyalink_khalti import conf
from loyalink_khalti.khalti import addresses
from loyalink_khalti.payments.models import Credentials

from .registering import Messages, check, database_check, error, warning

MAKE_FERNET_KEY = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'


@check()
def server() -> Messages:
    try:
        addresses.base(conf.base_url(conf.TEST))
    except ValueError as exc:
        yield error(
            1,
            f"Khalti cannot be called at {conf.base_url(conf.TEST)}: {exc}.",
            "KHALTI_BASE_URL is the address of Khalti's API, https://khalti.com/api/v2/ say. Leave it out, and the"
            " editors' choice of environment decides.",
        )
        return
    if conf.is_simulated() and not settings.DEBUG:
        yield error(
            2,
            f"Payments go to {conf.base_url(conf.TEST)}, which is not Khalti's, with DEBUG off: no money comes in.",
            "Remove KHALTI_BASE_URL. A demo that means it adds loyalink_khalti.E002 to SILENCED_SYSTEM_CHECKS.",
        )


@check(checks.Tags.security)
def secrets() -> Messages:
    try:
        conf.deployments_key()
    except ImproperlyConfigured as exc:
        yield error(
            5, str(exc), "Copy the “live secret key” from admin.khalti.com, or for tests test-admin.khalti.com."
        )
    try:
        conf.fernet()
    except ImproperlyConfigured as exc:
        hint = f"Set the environment variable LOYALINK_FERNET_KEYS (newest first, commas between). {MAKE_FERNET_KEY}"
        if conf.get("FERNET_KEYS"):
            yield error(6, str(exc), hint)
        elif not conf.get("KHALTI_SECRET_KEY"):
            yield warning(7, str(exc), hint)


@database_check
def keys(alias: str) -> Messages:
    stored = Credentials.objects.using(alias).exclude(ciphertext=b"")
    for row in stored.filter(Q(retired_at=None) | Q(payments__isnull=False)).distinct():
        try:
            conf.secret_of(row)
        except ImproperlyConfigured as exc:
            yield error(
                4,
                f"The Khalti key {row.fingerprint} of site {row.site_key!r} cannot be read: {exc}.",
                "Put the Fernet key with which it was kept back into LOYALINK_FERNET_KEYS (at the end of the list), or"
                " enter Khalti's key again in the site's settings.",
            )
    if not conf.get("KHALTI_SECRET_KEY") and not stored.filter(retired_at=None).exists():
        yield warning(
            3,
            "There is no Khalti key, so Khalti is not offered.",
            "Enter one in Wagtail under Settings, Khalti, or set the environment variable KHALTI_SECRET_KEY.",
        )
