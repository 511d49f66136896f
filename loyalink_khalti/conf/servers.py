"""Which of Khalti's servers a site uses, and at what address. Editors choose an environment, never an address."""

from typing import Any

from django.apps import apps

from loyalink_khalti.khalti.client import is_khaltis

from .settings import get
from .sites import DEFAULT_SITE

TEST, LIVE = "test", "live"
SERVERS = {TEST: "https://dev.khalti.com/api/v2/", LIVE: "https://khalti.com/api/v2/"}


def chosen(key: str) -> Any:
    """The editors' settings of a site, None where nobody has saved any."""
    return apps.get_model("loyalink_khalti", "KhaltiSettings").objects.filter(**of_site(key)).first()


def of_site(key: str) -> dict[str, Any]:
    """What filters settings to those of a site."""
    return {"site__is_default_site": True} if key == DEFAULT_SITE else {"site__hostname": key}


def environment_of(chosen: Any) -> str:
    if chosen is not None:
        return str(chosen.environment)
    return LIVE if get("KHALTI_BASE_URL") == SERVERS[LIVE] else TEST


def base_url(environment: str) -> str:
    """The server of an environment: the deployment's ``KHALTI_BASE_URL`` where set, else Khalti's own."""
    url = str(get("KHALTI_BASE_URL") or SERVERS[environment])
    return url if url.endswith("/") else url + "/"


def is_simulated() -> bool:
    """Whether the deployment's ``KHALTI_BASE_URL`` names a server that is not Khalti's own."""
    return not is_khaltis_own(base_url(TEST))


def is_khaltis_own(url: str) -> bool:
    return is_khaltis(url, base_url=SERVERS[LIVE])
