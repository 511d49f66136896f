"""Settings of *Himal Treks*, as `wagtail start` writes them, and below them what its pages need to sell."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
VAR = Path(os.environ.get("SANDBOX_VAR") or HERE.parent / "var")
"""The only folder that the site writes to."""
VAR.mkdir(parents=True, exist_ok=True)
PORT = int(os.environ.get("PORT") or 8000)
SITE_URL = (os.environ.get("SITE_URL") or f"http://127.0.0.1:{PORT}").rstrip("/")

DEBUG = True
SECRET_KEY = "himal-treks-is-a-demo-and-this-key-is-public"  # noqa: S105 - of a demo
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]
INTERNAL_IPS: list[str] = []
ROOT_URLCONF = "himal.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
X_FRAME_OPTIONS = "SAMEORIGIN"  # Wagtail's preview

INSTALLED_APPS = [
    "himal",
    "loyalink_khalti",
    "loyalink_khalti.hosts.page",
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
    "sandbox.policy.ContentSecurityPolicyMiddleware",  # this repository's; Django 6 has one of its own
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
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR / "media"
# This repository's sandbox shows the mails at /sandbox/mail/. A site of your own names a mail server here.
EMAIL_BACKEND = "sandbox.mail.FileBackend"
EMAIL_FILE_PATH = VAR / "mail"
DEFAULT_FROM_EMAIL = "Himal Treks <office@himal.example>"

WAGTAIL_SITE_NAME = "Himal Treks"
WAGTAILADMIN_BASE_URL = SITE_URL
WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": "wagtail.search.backends.database"}}
# The running demo makes no request to other servers.
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAIL_ENABLE_UPDATE_CHECK = False
WAGTAIL_ENABLE_WHATS_NEW_BANNER = False
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"django.server": {"level": "ERROR"}},
}

# What the pages need to sell

LOYALINK_KHALTI = {
    "SHOPS": {"page": "loyalink_khalti.hosts.page.shop.PageShop"},
    "PAGE": {"METHODS": ["khalti", "cod", "bank_transfer"]},
    "SITE_URL": SITE_URL,
    "UNPAID_SHARE_OF_STOCK": 50,  # a family books half of the places of a date
    "ALERTS_TO": ["office@himal.example"],
    "KHALTI_BASE_URL": os.environ.get("KHALTI_BASE_URL") or f"http://127.0.0.1:{PORT + 1000}/api/v2/",
    # The simulated Khalti accepts any key. A real one is entered in Wagtail: Settings → Khalti.
    "KHALTI_SECRET_KEY": os.environ.get("KHALTI_SECRET_KEY") or "live_secret_key_5a7a5ba717a710e75700000000000de0",
    "FERNET_KEYS": [os.environ.get("LOYALINK_FERNET_KEYS") or "c2FyYXN3YXRpLXN0YXRpb25lcnktaXMtYS1kZW1vISE="],
}
