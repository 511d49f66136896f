"""Members and sites as a person at the keyboard names them."""

from argparse import ArgumentParser

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from loyalink_khalti import conf
from loyalink_khalti.flow import payers, people
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.programmes import Program


def add_site(parser: ArgumentParser, *, default: str | None = conf.DEFAULT_SITE) -> None:
    of_all = "" if default else " (default: all)"
    parser.add_argument("--site", default=default, help=f"a site's host name, or {conf.DEFAULT_SITE}{of_all}")


def site(name: str) -> str:
    """A site that exists."""
    sites = apps.get_model("wagtailcore", "Site").objects.all()
    known = {conf.DEFAULT_SITE, *map(conf.key_of_site, sites), *Program.objects.values_list("site_key", flat=True)}
    if name not in known:
        raise CommandError(f"There is no site {name!r}. There are: {', '.join(sorted(known))}.")
    return name


def member(name: str) -> str:
    """The pk of the one member with this e-mail address or pk; of a user since deleted, the account's will do."""
    found = _user(name)
    if found is None and not Account.objects.filter(member_id=name).exists():
        raise CommandError(f"There is no member {name!r}: neither an e-mail address nor a pk of a user.")
    return found or name


def payer(name: str) -> payers.Payer:
    """The one member with this e-mail address or pk, else the guest who has bought with this address."""
    found = _user(name)
    somebody = payers.known(name) if found is None else payers.member(found)
    if somebody is None:
        raise CommandError(
            f"There is no member {name!r}, neither by e-mail address nor by pk, and no guest bought with that address."
        )
    return somebody


def user(name: str) -> str:
    """The pk of the one user with this e-mail address or pk, for whoever answers for something."""
    found = _user(name)
    if found is None:
        raise CommandError(f"There is no user {name!r}: neither an e-mail address nor a pk.")
    return found


def staff(name: str) -> str:
    """As ``user``, for somebody who may log in to the shop's own pages."""
    found = user(name)
    if not getattr(get_user_model()._default_manager.get(pk=found), "is_staff", True):
        raise CommandError(f"{name} is not one of the shop's staff.")
    return found


def address(pk: str) -> str:
    """What a user's pk is printed as: their e-mail address, while there is one."""
    return people.emails([pk]).get(pk) or pk


def _user(name: str) -> str | None:
    found = people.members([name]).get(name, [])
    if len(found) > 1:
        raise CommandError(f"{len(found)} users have the address {name}; name one by its pk: {', '.join(found)}.")
    return found[0] if found else None
