"""A shop with a key for Khalti's test server."""

from collections.abc import Callable
from typing import Any

import pytest

KEY = "test_secret_key_00000000000040008000000000c0ffee"


@pytest.fixture
def deploy(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say how the shop is deployed: with a key and what is given."""
    for name in ("KHALTI_SECRET_KEY", "KHALTI_BASE_URL", "LOYALINK_FERNET_KEYS", "GUNICORN_CMD_ARGS"):
        monkeypatch.delenv(name, raising=False)

    def do(**given: Any) -> None:
        settings.LOYALINK_KHALTI = {"KHALTI_SECRET_KEY": KEY, **given}

    do()
    return do
