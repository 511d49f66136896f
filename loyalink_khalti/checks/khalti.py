"""Checks of Khalti's server and of the secret keys for it."""

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q

from loyalink_khalti import conf
from loyalink_khalti.conf.sites import SiteKey
from loyalink_khalti.khalti import credentials
from loyalink_khalti.payments.models import Credentials
from loyalink_khalti.payments.states import HOLDING

from .registration import Messages, check, database_check, error, warning

TEST_PAYMENTS = 44
STAGING_HINT = (
    'On a staging server: LOYALINK_KHALTI["ALLOW_TEST_PAYMENTS"] = True, which shows a banner on every page.'
)
LIVE_HINT = "On the server that customers use, remove ALLOW_TEST_PAYMENTS."
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
    if not settings.DEBUG and conf.is_test_mode(conf.LIVE):  # KHALTI_BASE_URL names it for every site
        text = f"Payments go to {conf.base_url(conf.LIVE)} with DEBUG off: no money arrives."
        if conf.test_payments_allowed():
            yield warning(TEST_PAYMENTS, f"{text} ALLOW_TEST_PAYMENTS says that this is intended.", LIVE_HINT)
        else:
            yield error(2, text, f"Remove KHALTI_BASE_URL. {STAGING_HINT}")


@database_check
def test_environments(alias: str) -> Messages:
    if settings.DEBUG or conf.is_test_mode(conf.LIVE):  # ``server`` reports a server for all sites
        return
    living = SiteKey.objects.using(alias).filter(site_pk__isnull=False)
    for site_key in living.order_by("key").values_list("key", flat=True):
        options = conf.khalti_options(site_key)
        if not (options.enabled and options.test_mode and conf.secret_key_info(site_key, options.environment).source):
            continue
        text = f"Site {site_key!r} offers payments in Khalti's test environment with DEBUG off: no money arrives."
        if conf.test_payments_allowed():
            yield warning(TEST_PAYMENTS, f"{text} ALLOW_TEST_PAYMENTS says that this is intended.", LIVE_HINT)
        else:
            yield error(43, text, f"In Wagtail, under Settings, Khalti, choose the live server. {STAGING_HINT}")


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
            yield from _unreadable(row, exc)
    if not conf.get("KHALTI_SECRET_KEY") and not stored.filter(retired_at=None).exists():
        yield warning(
            3,
            "There is no secret key, so the checkout does not offer Khalti.",
            "Enter one in Wagtail under Settings, Khalti, or set KHALTI_SECRET_KEY in the environment.",
        )


def _unreadable(row: Credentials, exc: ImproperlyConfigured) -> Messages:
    """An error, unless the site's current key stands in for this one: then a warning while payments of it are open."""
    text = f"The secret key {row.fingerprint} of site {row.site_key!r} is unreadable: {exc}."
    try:
        conf.client_for(row)
    except ImproperlyConfigured:
        yield error(
            4,
            text,
            "Append the Fernet key that encrypted it to LOYALINK_FERNET_KEYS, or enter the secret key again"
            " in Wagtail under Settings, Khalti.",
        )
        return
    if row.payments.filter(state__in=HOLDING).exists():
        yield warning(
            45,
            f"{text} Its open payments are looked up with the site's current key.",
            "Append the Fernet key that encrypted it to LOYALINK_FERNET_KEYS. If it is lost: khalti_flags lists the"
            " payments that the current key does not find; record what Khalti's dashboard shows of them.",
        )
