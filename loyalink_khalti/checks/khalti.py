"""Checks of Khalti's server and of the secret keys for it."""

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q

from loyalink_khalti import conf
from loyalink_khalti.khalti import credentials
from loyalink_khalti.payments.models import Credentials

from .registration import Messages, check, database_check, error, warning

MAKE_FERNET_KEY = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'


@check()
def server() -> Messages:
    try:
        credentials.checked_base_url(conf.base_url(conf.TEST))
    except ValueError as exc:
        yield error(
            1,
            f"Khalti cannot be called at {conf.base_url(conf.TEST)}: {exc}.",
            "KHALTI_BASE_URL=https://khalti.com/api/v2/. Without it, the editors' choice of environment decides.",
        )
        return
    if conf.is_simulated() and not settings.DEBUG:
        yield error(
            2,
            f"Payments go to {conf.base_url(conf.TEST)}, which is not Khalti, with DEBUG off: no money arrives.",
            'Remove KHALTI_BASE_URL. For a demo: SILENCED_SYSTEM_CHECKS = ["loyalink_khalti.E002"].',
        )


@check(checks.Tags.security)
def secrets() -> Messages:
    try:
        conf.deployment_secret()
    except ImproperlyConfigured as exc:
        yield error(
            5,
            f"{exc}.",
            "Copy the “live secret key” from admin.khalti.com, or for tests from test-admin.khalti.com.",
        )
    try:
        conf.fernet()
    except ImproperlyConfigured as exc:
        hint = f"Set LOYALINK_FERNET_KEYS in the environment (newest first, separated by commas). {MAKE_FERNET_KEY}"
        if conf.get("FERNET_KEYS"):
            yield error(6, f"{exc}.", hint)
        elif not conf.get("KHALTI_SECRET_KEY"):
            yield warning(7, f"{exc}.", hint)


@database_check
def keys(alias: str) -> Messages:
    stored = Credentials.objects.using(alias).exclude(ciphertext=b"")
    for row in stored.filter(Q(retired_at=None) | Q(payments__isnull=False)).distinct():
        try:
            conf.secret_of(row)
        except ImproperlyConfigured as exc:
            yield error(
                4,
                f"The secret key {row.fingerprint} of site {row.site_key!r} is unreadable: {exc}.",
                "Append the Fernet key that encrypted it to LOYALINK_FERNET_KEYS, or enter the secret key again"
                " in Wagtail under Settings, Khalti.",
            )
    if not conf.get("KHALTI_SECRET_KEY") and not stored.filter(retired_at=None).exists():
        yield warning(
            3,
            "There is no secret key, so the checkout does not offer Khalti.",
            "Enter one in Wagtail under Settings, Khalti, or set KHALTI_SECRET_KEY in the environment.",
        )
