"""A small Django project with this package and django-getpaid side by side, on the benchmark's PostgreSQL."""

import os
import sys

SECRET_KEY = "a-benchmark-has-no-secrets"
USE_TZ = True
TIME_ZONE = "Asia/Kathmandu"
LANGUAGES = [("en", "English"), ("ne", "Nepali")]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "benchmarks.urls"
ALLOWED_HOSTS = ["*"]
SITE_ID = 1
STATIC_URL = "/static/"

INSTALLED_APPS = [
    "loyalink_khalti",
    "wagtail.contrib.settings",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sites",
]
if sys.version_info >= (3, 12):
    INSTALLED_APPS += ["getpaid", "benchmarks.getpaid_khalti"]
GETPAID_ORDER_MODEL = "getpaid_khalti.Order"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "loyalink",
        "USER": "postgres",
        "HOST": os.environ["BENCHMARK_DATABASE_HOST"],
        "CONN_MAX_AGE": None,
        "OPTIONS": {"options": "-c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"},
    }
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"level": "ERROR"}}
WAGTAIL_SITE_NAME = "Benchmark"
WAGTAILADMIN_BASE_URL = "http://127.0.0.1:8000"

KHALTI = os.environ["BENCHMARK_KHALTI"]
KEY = "live_secret_key_5a7a5ba717a710e75700000000000de0"
GETPAID_BACKEND_SETTINGS = {"khalti": {"base_url": KHALTI, "secret_key": KEY, "site_url": WAGTAILADMIN_BASE_URL}}
LOYALINK_KHALTI = {
    "SHOPS": {"fake": "loyalink_khalti.testing.FakeShop"},
    "SITE_URL": WAGTAILADMIN_BASE_URL,
    "KHALTI_BASE_URL": KHALTI,
    "KHALTI_SECRET_KEY": KEY,
    "FERNET_KEYS": ["c2FyYXN3YXRpLXN0YXRpb25lcnktaXMtYS1kZW1vISE="],
    "LIVE_PAYMENTS_PER_EMAIL": 1_000_000,
    "LOOKUPS_PER_SECOND": 1000,
    "MAX_CONCURRENT_CALLS": 100,
}
