"""Sites, members, customers, staff, payments and amounts as arguments of commands."""

from argparse import ArgumentParser, ArgumentTypeError
from decimal import Decimal, InvalidOperation

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db.models import Q

from loyalink_khalti import conf, flow
from loyalink_khalti.databases import current
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.program import Program
from loyalink_khalti.money import Paisa, paisa
from loyalink_khalti.nepal import nepali_mobile
from loyalink_khalti.payments.models import Payment

DEFAULT = ""
"""``--site`` where the command line does not name one: Wagtail's default site."""


def add_site(parser: ArgumentParser, *, default: str | None = DEFAULT) -> None:
    """Add the option ``--site``."""
    of_all = "Wagtail's default site" if default is not None else "all sites"
    parser.add_argument("--site", default=default, help=f"a site's host name or key (default: {of_all})")


def add_actor(parser: ArgumentParser) -> None:
    """Add the option ``--actor``, which every command needs that moves points or money; ``staff`` reads it."""
    parser.add_argument("--actor", required=True, help="who does this: e-mail address or pk of a member of staff")


def site(name: str) -> str:
    """Return the key of a site by its host name, ``host:port`` or key, or the key of a deleted site.

    Raises ``CommandError`` with the names of all sites, also where ``name`` could be two of them.
    """
    if name == DEFAULT:
        return conf.site_key()
    sites = list(apps.get_model("wagtailcore", "Site").objects.order_by("pk"))
    keys = conf.site_keys(sites)
    found = {keys[each.pk] for each in sites if name in (each.hostname, f"{each.hostname}:{each.port}")}
    stored = {*keys.values(), *conf.deleted_sites(), *Program.objects.values_list("site_key", flat=True)}
    if name in stored:
        found.add(name)
    if name == conf.DEFAULT_SITE:  # commands of earlier versions mean Wagtail's default site
        found.add(conf.site_key())
    if len(found) == 1:
        return found.pop()
    known = [f"{each.hostname}:{each.port} (key {keys[each.pk]})" for each in sites]
    listed = ", ".join([*known, *(f"key {key}" for key in sorted(stored - set(keys.values())))])
    if found:
        raise CommandError(f"{name!r} can be {len(found)} sites. Name one by host:port. There are: {listed}.")
    raise CommandError(f"There is no site {name!r}. There are: {listed}.")


def member(name: str) -> str:
    """Return the pk of the only user with this e-mail address or pk, or of an account whose user was deleted.

    Raises ``CommandError``.
    """
    found = _user(name)
    if found is None and not Account.objects.filter(member_id=name).exists():
        raise CommandError(f"There is no member {name!r}: neither an e-mail address nor a pk of a user.")
    return found or name


def guest(email: str) -> flow.DataSubject:
    """Return the guest who bought with this address, which an account may have too. Raises ``CommandError``."""
    subject = flow.guest_subject(email)
    if subject is None:
        raise CommandError(f"No guest bought with the address {email!r}.")
    return subject


def customer(name: str) -> flow.DataSubject:
    """Return the only member with this e-mail address or pk, else the guest who bought with this address.

    Raises ``CommandError``.
    """
    found = _user(name)
    subject = flow.find_subject(name) if found is None else flow.member_subject(found)
    if subject is None:
        raise CommandError(
            f"There is no member {name!r}, neither by e-mail address nor by pk, and no guest bought with that address."
        )
    return subject


def user(name: str) -> str:
    """Return the pk of the only user with this e-mail address or pk. Raises ``CommandError``."""
    found = _user(name)
    if found is None:
        raise CommandError(f"There is no user {name!r}: neither an e-mail address nor a pk.")
    return found


def staff(name: str) -> str:
    """Return the pk of the only member of staff with this e-mail address or pk. Raises ``CommandError``."""
    found = user(name)
    if not getattr(current(get_user_model()._default_manager).get(pk=found), "is_staff", True):
        raise CommandError(f"{name} is not a member of staff.")
    return found


def payment(name: str) -> Payment:
    """Return the only payment with this order id at Khalti, pidx, transaction id or pk. Raises ``CommandError``."""
    ids = Q(pidx=name) | Q(transaction_id=name) | (Q(pk=int(name)) if name.isascii() and name.isdigit() else Q())
    ref, _dash, attempt = name.rpartition("-")
    if ref and attempt.isascii() and attempt.isdigit():
        ids |= Q(purchase__ref=ref, attempt=int(attempt))
    found = list(Payment.objects.select_related("purchase").filter(ids)[:2])
    if len(found) != 1:
        raise CommandError(f"{'There is no payment' if not found else 'There are several payments'} {name!r}.")
    return found[0]


def mobile(text: str) -> str:
    """Return a mobile number of Nepal as its ten digits, "" for none. Raises ``ArgumentTypeError``."""
    number = nepali_mobile(text)
    if text and not number:
        raise ArgumentTypeError(f"{text!r} is no mobile number of Nepal")
    return number


def rupees(text: str) -> Paisa:
    """Return an amount in rupees as paisa. Raises ``ArgumentTypeError``."""
    try:
        return paisa(Decimal(text))
    except (InvalidOperation, ValueError) as exc:
        raise ArgumentTypeError(f"{text!r} is not an amount in rupees like 250 or 99.50.") from exc


def address(pk: str) -> str:
    """Return a user's e-mail address, or the pk where they have none."""
    return flow.member_emails([pk]).get(pk) or pk


def _user(name: str) -> str | None:
    found = flow.find_members([name]).get(name, [])
    if len(found) > 1:
        raise CommandError(f"{len(found)} users have the address {name}; name one by its pk: {', '.join(found)}.")
    return found[0] if found else None
