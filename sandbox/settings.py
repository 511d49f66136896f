"""Settings of the demo store. A few environment variables change them."""

import os
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from oscar.defaults import *  # noqa: F403

HERE = Path(__file__).resolve().parent
VAR = Path(os.environ.get("SANDBOX_VAR") or HERE / "var")
"""The only folder that the running store writes to: database, media, mails."""
VAR.mkdir(parents=True, exist_ok=True)

PORT = int(os.environ.get("PORT") or 8000)
SITE_URL = (os.environ.get("SITE_URL") or f"http://127.0.0.1:{PORT}").rstrip("/")
SITE_HOST = urlsplit(SITE_URL).hostname or "127.0.0.1"
SITE_PATH = urlsplit(SITE_URL).path
"""The path below which a proxy, or gunicorn by ``SCRIPT_NAME``, serves the store: "/pasal", or "" for none."""
SITE_ORIGIN = SITE_URL.removesuffix(SITE_PATH)
FORCE_SCRIPT_NAME = SITE_PATH or None

DEBUG = (os.environ.get("DEBUG") or "1").lower() not in {"0", "false", "no", "off"}
DEMO_SECRET_KEY = "saraswati-stationery-is-a-demo-and-this-key-is-public"
# How many proxies stand in front of gunicorn; docs/production.md has an nginx.
TRUSTED_PROXIES = int(os.environ.get("TRUSTED_PROXIES") or 0)
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

DEMO_FERNET_KEY = "c2FyYXN3YXRpLXN0YXRpb25lcnktaXMtYS1kZW1vISE="
SECRET_KEY = os.environ.get("SECRET_KEY") or DEMO_SECRET_KEY
FERNET_KEYS = [key for key in (os.environ.get("LOYALINK_FERNET_KEYS") or DEMO_FERNET_KEY).split(",") if key]


def is_private(host: str) -> bool:
    """Return whether only this machine or its own network reaches a host."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local"))


def refuse_public_keys() -> None:
    """Raise ``ImproperlyConfigured`` where others could use the keys of the demo, which everybody can read here.

    With them anybody can sign a cookie that opens another customer's order, and decrypt the stored Khalti keys.
    """
    public = [
        name
        for name, is_public in (
            ("SECRET_KEY", SECRET_KEY == DEMO_SECRET_KEY),
            ("LOYALINK_FERNET_KEYS", DEMO_FERNET_KEY in FERNET_KEYS),
        )
        if is_public
    ]
    if public and not (DEBUG and is_private(SITE_HOST)):
        raise ImproperlyConfigured(
            f"The demo's own {' and '.join(public)} can be read by everybody, so this store does not start with DEBUG "
            f"off or at a public address ({SITE_URL}). Set {' and '.join(public)} in the environment: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(50))' makes a SECRET_KEY, "
            "python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())' a Fernet key."
        )


refuse_public_keys()
ALLOWED_HOSTS = [SITE_HOST, "localhost", ".localhost", "127.0.0.1", "0.0.0.0", "[::1]"]
ALLOWED_HOSTS += [host for host in (os.environ.get("ALLOWED_HOSTS") or "").split(",") if host]
CSRF_TRUSTED_ORIGINS = [SITE_ORIGIN]
X_FRAME_OPTIONS = "SAMEORIGIN"  # Wagtail's preview and the mail page show pages of this store in a frame
SITE_ID = 1
ROOT_URLCONF = "sandbox.urls"
WSGI_APPLICATION = "sandbox.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # Wagtail's page editor sends many


INSTALLED_APPS = [
    "sandbox.home",
    "sandbox.shop",
    "loyalink_khalti",
    # Wagtail
    "wagtail.contrib.settings",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django_filters",
    # Django
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.sites",
    "django.contrib.flatpages",
    "django.contrib.humanize",
    "django.contrib.postgres",  # Wagtail's index wants it there on PostgreSQL
    "axes",  # counts wrong passwords
    # Oscar
    "oscar.config.Shop",
    "oscar.apps.analytics.apps.AnalyticsConfig",
    "sandbox.shop.checkout.CheckoutConfig",
    "sandbox.shop.address.apps.AddressConfig",
    "sandbox.shop.shipping.apps.ShippingConfig",
    "sandbox.shop.catalogue.apps.CatalogueConfig",
    "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
    "oscar.apps.communication.apps.CommunicationConfig",
    "oscar.apps.partner.apps.PartnerConfig",
    "sandbox.shop.basket.apps.BasketConfig",
    "oscar.apps.payment.apps.PaymentConfig",
    "oscar.apps.offer.apps.OfferConfig",
    "oscar.apps.order.apps.OrderConfig",
    "loyalink_khalti.hosts.oscar.apps.CustomerConfig",
    "loyalink_khalti.hosts.oscar.apps.SearchConfig",
    "oscar.apps.voucher.apps.VoucherConfig",
    "oscar.apps.wishlists.apps.WishlistsConfig",
    "oscar.apps.dashboard.apps.DashboardConfig",
    "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
    "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
    "loyalink_khalti.hosts.oscar.apps.OrdersDashboardConfig",
    "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
    "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
    "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
    "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
    "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
    "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
    "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
    "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
    "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
    "widget_tweaks",
    "haystack",
    "treebeard",
    "django_tables2",
    "sorl.thumbnail",
]

# The forks of Oscar's apps change forms, methods and names, not columns: Oscar's migrations are used.
MIGRATION_MODULES = {name: f"oscar.apps.{name}.migrations" for name in ("address", "basket", "catalogue", "shipping")}

MIDDLEWARE = [
    "loyalink_khalti.storefront.middleware.TokenPageMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "sandbox.policy.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
    "loyalink_khalti.storefront.middleware.PendingPaymentMiddleware",
    "axes.middleware.AxesMiddleware",
    "sandbox.errors.OwnErrorPagesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "wagtail.contrib.settings.context_processors.settings",
                "sandbox.shop.context_processors.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
            ],
        },
    },
]


CONN_MAX_AGE = int(os.environ.get("CONN_MAX_AGE", "60"))


def database(url: str) -> dict[str, Any]:
    """Return Django's entry for a database URL.

    Any SQLite file is opened with WAL and full synchronisation. On PostgreSQL a wait for a lock ends, and so does a
    transaction whose process has stopped; with ``DATABASE_POOLED`` behind PgBouncer, where the role has these settings
    (docs/production.md).
    """
    entry: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=CONN_MAX_AGE, conn_health_checks=True))
    if entry["ENGINE"] == "django.db.backends.sqlite3":
        entry["OPTIONS"] = {
            **entry.get("OPTIONS", {}),
            # A transaction takes the write lock when it begins, so that nothing it reads changes before it writes.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        }
    elif os.environ.get("DATABASE_POOLED") == "1":
        entry["DISABLE_SERVER_SIDE_CURSORS"] = True  # the next statement may go to another connection
    elif entry["ENGINE"] == "django.db.backends.postgresql":
        timeouts = "-c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"
        entry["OPTIONS"] = {"options": timeouts, **entry.get("OPTIONS", {})}
    return entry


DATABASES = {"default": database(os.environ.get("DATABASE_URL") or f"sqlite:///{VAR / 'store.sqlite3'}")}
REPLICA = "replica" if os.environ.get("REPORTS_DATABASE_URL") else None
if REPLICA:
    DATABASES[REPLICA] = database(os.environ["REPORTS_DATABASE_URL"])

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",  # Wagtail's login takes user names
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# After ten wrong passwords for one name from one address, that name waits there for 15 minutes. Elsewhere it does not,
# so that no one can lock another person out. The log-in pages of the store, of Wagtail and of Django count together.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_LOCKOUT_TEMPLATE = "too_many_logins.html"
AXES_VERBOSE = False
LOGIN_URL = "customer:login"
LOGIN_REDIRECT_URL = f"{SITE_PATH}/"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ne", _("Nepali"))]
WAGTAIL_CONTENT_LANGUAGES = LANGUAGES
LOCALE_PATHS = [HERE / "locale"]
FORMAT_MODULE_PATH = ["sandbox.formats"]
TIME_ZONE = "Asia/Kathmandu"
USE_I18N = True
USE_TZ = True

STATIC_URL = f"{SITE_PATH}/static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [HERE / "static"]
MEDIA_URL = f"{SITE_PATH}/media/"
MEDIA_ROOT = VAR / "media"
# Files are served from their source folders, so that gunicorn needs no collectstatic.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

EMAIL_BACKEND = "sandbox.mail.FileBackend"
EMAIL_FILE_PATH = VAR / "mail"
DEFAULT_FROM_EMAIL = "Saraswati Stationery <shop@saraswati.example>"
OSCAR_FROM_EMAIL = DEFAULT_FROM_EMAIL

WAGTAIL_SITE_NAME = "Saraswati Stationery"
WAGTAILADMIN_BASE_URL = SITE_ORIGIN
# The running store makes no request to other servers.
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAIL_ENABLE_UPDATE_CHECK = False
# Staff cannot change the address by which a guest's order is known to be their own.
WAGTAIL_EMAIL_MANAGEMENT_ENABLED = False
WAGTAIL_ENABLE_WHATS_NEW_BANNER = False
WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": "wagtail.search.backends.database"}}
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
HAYSTACK_SIGNAL_PROCESSOR = "haystack.signals.BaseSignalProcessor"

THUMBNAIL_FORMAT = "WEBP"
THUMBNAIL_QUALITY = 85

OSCAR_SHOP_NAME = _("Saraswati Stationery")  # type: ignore[assignment]  # Oscar: a str
OSCAR_SHOP_TAGLINE = _("Paper, pens and ink from Asan, Kathmandu")  # type: ignore[assignment]  # Oscar: a str
OSCAR_DEFAULT_CURRENCY = "NPR"
OSCAR_CURRENCY_FORMAT = {"NPR": {"format": "'Rs' #,##,##0.00;−'Rs' #,##,##0.00", "locale": "en"}}
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_ALLOW_GUEST_CHECKOUT_WITH_ACCOUNT = True
OSCAR_ALLOW_ANON_REVIEWS = False
OSCAR_REQUIRED_ADDRESS_FIELDS = ["first_name", "last_name", "line1", "line4", "country"]  # type: ignore[assignment]
OSCAR_PRODUCTS_PER_PAGE = 12
OSCAR_MISSING_IMAGE_URL = "image_not_found.jpg"
OSCAR_HIDDEN_FEATURES = ["reviews", "wishlists"]
OSCAR_URL_SCHEMA = urlsplit(SITE_URL).scheme
PHONENUMBER_DEFAULT_REGION = "NP"

OSCAR_INITIAL_ORDER_STATUS = "Pending"
OSCAR_INITIAL_LINE_STATUS = "Pending"
# Each next status is a button for staff. Only Khalti's answers change "Awaiting payment" and "Cancelled".
OSCAR_ORDER_STATUS_PIPELINE = {
    "Awaiting payment": (),
    "Pending": ("Shipped", "Cancelled"),
    "Paid": ("Shipped",),
    "Shipped": ("Delivered",),
    "Delivered": (),
    "Cancelled": (),
    "Refunded": (),
}
OSCAR_LINE_STATUS_PIPELINE = {"Pending": ("Shipped", "Cancelled"), "Shipped": (), "Cancelled": ()}

# The workers share the counts of the rate limits. A file will do on one machine; Redis or Memcached on several.
CACHES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "shared": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR / "cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}

LOYALINK_KHALTI = {
    "SHOPS": {"oscar": "loyalink_khalti.hosts.oscar.shop.OscarShop"},
    "SITE_URL": SITE_URL,
    "ALERTS_TO": ["shopkeeper@saraswati.example"],  # shown at /sandbox/mail/
    "ALLOW_TEST_PAYMENTS": os.environ.get("ALLOW_TEST_PAYMENTS") == "1",
    "KHALTI_BASE_URL": os.environ.get("KHALTI_BASE_URL") or f"http://127.0.0.1:{PORT + 1000}/api/v2/",
    # In the form that Khalti documents; the simulator accepts it, Khalti does not.
    "KHALTI_SECRET_KEY": os.environ.get("KHALTI_SECRET_KEY") or "live_secret_key_5a7a5ba717a710e75700000000000de0",
    "DIGITS": "by_language",
    "CALENDAR": "by_language",
    "CACHE": "shared",
    "GUEST_CLAIMS": True,
    "REPORTS_DATABASE": REPLICA,
    "TRUSTED_PROXIES": TRUSTED_PROXIES,
    "OSCAR": {"METHODS": ["khalti", "cod", "bank_transfer"]},
    "FERNET_KEYS": FERNET_KEYS,
}
