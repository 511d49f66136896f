"""The OpenAPI document that is committed: of a shop with every host of the package. To write it anew::

DJANGO_SETTINGS_MODULE=tests.settings .venv/bin/python -m tests.api.committed
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import django
from django.conf import settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
SHOPS = {
    "oscar": "loyalink_khalti.hosts.oscar.shop.OscarShop",
    "page": "loyalink_khalti.hosts.page.shop.PageShop",
    "salesman": "loyalink_khalti.hosts.salesman.shop.SalesmanShop",
}


def has_every_host() -> bool:
    """Whether this environment has all hosts: Salesman's newest release refuses Django 6."""
    return find_spec("salesman") is not None


def made() -> dict[str, Any]:
    """The document as the API makes it."""
    from loyalink_khalti.api.operations import api  # not before the apps are ready

    return json.loads(json.dumps(api.get_openapi_schema()))  # type: ignore[no-any-return]


if __name__ == "__main__":
    django.setup()
    settings.LOYALINK_KHALTI["SHOPS"] = SHOPS
    DOCUMENT.write_text(json.dumps(made(), indent=1, ensure_ascii=False) + "\n")
