"""A correct deployment, and the messages of our checks about it."""

import pytest
from cryptography.fernet import Fernet
from django.core import checks

from loyalink_khalti import conf

KEY = "live_secret_key_00000000000040008000000000c0ffee"


@pytest.fixture
def messages():
    """Run our checks: {number: message}. ``databases=["default"]`` includes the checks of the database."""

    def run(**options):
        ours = [message for message in checks.run_checks(**options) if str(message.id).startswith("loyalink_khalti.")]
        assert all(message.hint for message in ours)
        return {message.id.removeprefix("loyalink_khalti."): message.msg for message in ours}

    return run


@pytest.fixture
def deploy(settings, monkeypatch):
    """Configure a correct deployment in production, except for the given settings."""
    for name in ("KHALTI_SECRET_KEY", "KHALTI_BASE_URL", "LOYALINK_FERNET_KEYS"):
        monkeypatch.delenv(name, raising=False)
    correct = {
        "SHOPS": {"oscar": "loyalink_khalti.hosts.oscar.shop.OscarShop"},
        "SITE_URL": "https://shop.example",
        "KHALTI_SECRET_KEY": KEY,
        "KHALTI_BASE_URL": conf.SERVERS[conf.LIVE],
        "FERNET_KEYS": [Fernet.generate_key().decode()],
        "ALERTS_TO": ["shopkeeper@shop.example"],
        "TRUSTED_PROXIES": 1,
        "CACHE": "shared",
    }

    def configure(**given):
        settings.LOYALINK_KHALTI = {**correct, **given}

    configure()
    settings.DEBUG = False
    return configure
