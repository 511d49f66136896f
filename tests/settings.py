"""The sandbox store's settings, made fast for tests; ``TEST_DATABASE`` is sqlite or postgresql."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# The files of the tests stay apart from those of a running store, and those of each test process from each other.
PROCESS = os.environ.get("TEST_DATABASE", "sqlite"), os.environ.get("PYTEST_XDIST_WORKER", "main")
os.environ["SANDBOX_VAR"] = str(Path(sys.prefix, "test-var", *PROCESS))
for name in (
    "ALLOW_TEST_PAYMENTS",
    "PORT",
    "SITE_URL",
    "DATABASE_URL",
    "KHALTI_BASE_URL",
    "KHALTI_SECRET_KEY",
    "DEBUG",
    "SECRET_KEY",
):
    os.environ.pop(name, None)

from sandbox.settings import *  # noqa: E402, F403
from sandbox.settings import INSTALLED_APPS as APPS_OF_THE_STORE  # noqa: E402
from sandbox.settings import LOYALINK_KHALTI as CHOSEN_BY_THE_STORE  # noqa: E402
from sandbox.settings import MIDDLEWARE as WITH_STATIC_FILES  # noqa: E402

# Pages that sell, a small site with some, and the shop of docs/hosts/own.md: their tests name them in SHOPS.
INSTALLED_APPS = [*APPS_OF_THE_STORE, "loyalink_khalti.hosts.page", "tests.hosts.page.site", "tests.hosts.own.tea"]

# As a shop has them that sets nothing.
LOYALINK_KHALTI = {**CHOSEN_BY_THE_STORE, "DIGITS": "latin", "CALENDAR": "ad", "GUEST_CLAIMS": False}
DEBUG = False
# Payments go to a simulator here; a management command with these settings is not refused for it.
SILENCED_SYSTEM_CHECKS = ["loyalink_khalti.E002"]
ALLOWED_HOSTS = ["*"]

# A file or a server, because tests use threads; tests/databases.py sets the name.
ENGINES: dict[str, dict[str, dict[str, Any]]] = {
    "sqlite": {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ":memory:",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF",
            },
        }
    },
    "postgresql": {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "postgres",
            # As in the sandbox; the tests run on busy machines, so that a lock may be waited for longer.
            "OPTIONS": {"options": "-c lock_timeout=20s -c idle_in_transaction_session_timeout=120s"},
        }
    },
}
DATABASES = ENGINES[os.environ.get("TEST_DATABASE", "sqlite")]

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Without WhiteNoise, which looks through all static files for each new test client.
MIDDLEWARE = [name for name in WITH_STATIC_FILES if "whitenoise" not in name]
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405  (WhiteNoise warns when the folder is missing)
AXES_ENABLED = False  # tests log in without a request

if find_spec("salesman"):  # its newest release refuses Django 6
    INSTALLED_APPS = [
        *INSTALLED_APPS,
        "rest_framework",
        "rest_framework.authtoken",
        "salesman.core",
        "tests.hosts.salesman.apps.BasketConfig",
        "salesman.checkout",
        "tests.hosts.salesman.apps.OrdersConfig",
        "tests.hosts.salesman.site.apps.SiteConfig",
    ]
    SALESMAN_PRODUCT_TYPES = {
        "salesman_site.Tea": "tests.hosts.salesman.site.serializers.ProductSerializer",
        "salesman_site.Voucher": "tests.hosts.salesman.site.serializers.ProductSerializer",
    }
    SALESMAN_BASKET_MODIFIERS = [
        "tests.hosts.salesman.site.modifiers.DeliveryModifier",
        "loyalink_khalti.hosts.salesman.modifiers.PointsModifier",
    ]
    SALESMAN_PAYMENT_METHODS = [
        "loyalink_khalti.hosts.salesman.payment.Khalti",
        "loyalink_khalti.hosts.salesman.payment.CashOnDelivery",
        "loyalink_khalti.hosts.salesman.payment.BankTransfer",
    ]
    SALESMAN_BASKET_ITEM_VALIDATOR = "loyalink_khalti.hosts.salesman.stock.validate_basket_item"
    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework.authentication.TokenAuthentication",
            "rest_framework.authentication.SessionAuthentication",
        ]
    }
