"""Checks of Wagtail's sites: each is to have payments, points, a key and settings of its own."""

from collections import defaultdict
from typing import Any

from django.apps import apps

from loyalink_khalti import conf

from .registering import Messages, database_check, warning

MOVE = (
    "Give one of them a host name of its own in Wagtail, under Settings, Sites. What is there already stays with the"
    " host name under which it was kept."
)


@database_check
def shared_keys(alias: str) -> Messages:
    sites: dict[str, list[Any]] = defaultdict(list)
    for site in apps.get_model("wagtailcore", "Site").objects.using(alias).order_by("pk"):
        sites[conf.key_of_site(site)].append(site)
    for key, sharing in sites.items():
        if key == conf.DEFAULT_SITE:
            yield from _called_default(sharing)
        elif len(sharing) > 1:
            yield warning(
                36,
                f"{_addresses(sharing)} have one host name, and so the same payments, points, Khalti key and settings"
                " of points: whoever may edit those of one edits those of all.",
                MOVE,
            )


def _called_default(sites: list[Any]) -> Messages:
    if called := [site for site in sites if not site.is_default_site]:
        yield warning(
            36,
            f"{_addresses(called)} is taken for Wagtail's default site, whose payments, points, Khalti key and"
            f" settings are kept under the name {conf.DEFAULT_SITE!r}.",
            MOVE,
        )


def _addresses(sites: list[Any]) -> str:
    return ", ".join(f"{site.hostname}:{site.port}" for site in sites)
