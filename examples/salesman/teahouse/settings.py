"""Settings of *Ilam Tea House*: a site on Wagtail with Salesman, and below them what it needs to sell with Khalti."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
VAR = Path(os.environ.get("SANDBOX_VAR") or HERE.parent / "var")
"""The only folder that the site writes to."""
VAR.mkdir(parents=True, exist_ok=True)
PORT = int(os.environ.get("PORT") or 8000)
SITE_URL = (os.environ.get("SITE_URL") or f"http://127.0.0.1:{PORT}").rstrip("/")

DEBUG = True
SECRET_KEY = "ilam-tea-house-is-a-demo-and-this-key-is-public"  # noqa: S105 - of a demo
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]
ROOT_URLCONF = "teahouse.urls"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"  # that of Salesman's migrations

INSTALLED_APPS = [
    "teahouse",
    "loyalink_khalti",
    "salesman.core",
    "salesman.basket",
    "salesman.checkout",
    "salesman.orders",
    "rest_framework",
    "rest_framework.authtoken",
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
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "loyalink_khalti.storefront.middleware.TokenPageMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "loyalink_khalti.storefront.middleware.PendingPaymentMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR / "store.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        },
    }
}
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ne", "नेपाली")]
TIME_ZONE = "Asia/Kathmandu"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
MEDIA_ROOT = VAR / "media"
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DEFAULT_FROM_EMAIL = "Ilam Tea House <office@ilam.example>"

WAGTAIL_SITE_NAME = "Ilam Tea House"
WAGTAILADMIN_BASE_URL = SITE_URL
# The running demo makes no request to other servers.
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAIL_ENABLE_UPDATE_CHECK = False
WAGTAIL_ENABLE_WHATS_NEW_BANNER = False
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"django.server": {"level": "ERROR"}},
}

# Salesman: what is sold, and Rs 100 for the delivery. The points come last.

SALESMAN_PRODUCT_TYPES = {"teahouse.Tea": "teahouse.serializers.TeaSerializer"}
SALESMAN_BASKET_MODIFIERS = [
    "teahouse.modifiers.Delivery",
    "loyalink_khalti.hosts.salesman.modifiers.PointsModifier",
]
SALESMAN_PAYMENT_METHODS = [
    "loyalink_khalti.hosts.salesman.payment.Khalti",
    "loyalink_khalti.hosts.salesman.payment.CashOnDelivery",
]
SALESMAN_BASKET_ITEM_VALIDATOR = "loyalink_khalti.hosts.salesman.stock.validate_basket_item"
REST_FRAMEWORK = {
    # Apps send a token, the page at / the session's cookie.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ]
}

LOYALINK_KHALTI = {
    "SHOPS": {"salesman": "loyalink_khalti.hosts.salesman.shop.SalesmanShop"},
    "SALESMAN": {"NUMBER_PREFIX": "TH-", "RETURN_PATH": "/?order={ref}&outcome={outcome}"},
    "SITE_URL": SITE_URL,
    "ALERTS_TO": ["office@ilam.example"],
    "KHALTI_BASE_URL": os.environ.get("KHALTI_BASE_URL") or f"http://127.0.0.1:{PORT + 1000}/api/v2/",
    # The simulated Khalti accepts any key. A real one is entered in Wagtail: Settings → Khalti.
    "KHALTI_SECRET_KEY": os.environ.get("KHALTI_SECRET_KEY") or "live_secret_key_5a7a5ba717a710e75700000000000de0",
    "FERNET_KEYS": [os.environ.get("LOYALINK_FERNET_KEYS") or "c2FyYXN3YXRpLXN0YXRpb25lcnktaXMtYS1kZW1vISE="],
}
