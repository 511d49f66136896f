"""The shop of docs/hosts/own.md, named in the settings."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _named(settings: Any) -> None:
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI,
        "SHOPS": {"tea": "tests.hosts.own.tea.shop.TeaShop"},
    }
