"""Deployments of a shop: with a secret key for Khalti's test server, and with Fernet keys only."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet
from wagtail.models import Site

from loyalink_khalti.backoffice.models import KhaltiSettings

KEY = "test_secret_key_00000000000040008000000000c0ffee"
LIVE_KEY = "live_secret_key_00000000000040008000000000c0ffee"
OTHER_KEY = "live_secret_key_0000000000004000800000000badcafe"
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def deploy(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Configure the deployment: a secret key and the given settings."""
    for name in ("KHALTI_SECRET_KEY", "KHALTI_BASE_URL", "LOYALINK_FERNET_KEYS", "GUNICORN_CMD_ARGS"):
        monkeypatch.delenv(name, raising=False)

    def configure(**given: Any) -> None:
        settings.LOYALINK_KHALTI = {"KHALTI_SECRET_KEY": KEY, **given}

    configure()
    return configure


@pytest.fixture
def deployment(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Configure the deployment: a Fernet key and the given settings only."""

    def configure(**given: Any) -> None:
        settings.LOYALINK_KHALTI = {"FERNET_KEYS": [OLD], **given}

    for name in ("KHALTI_SECRET_KEY", "KHALTI_BASE_URL", "LOYALINK_FERNET_KEYS"):
        monkeypatch.delenv(name, raising=False)
    configure()
    return configure


def choose_environment(environment: str, site: Site | None = None) -> None:
    """Choose the environment in a site's Khalti settings."""
    site = site or Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.update_or_create(site=site, defaults={"environment": environment})
