"""Who stands at the counter: users by the e-mail address or the mobile number that they say."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.validators import validate_email
from django.db.models import Q
from django.utils.translation import gettext as _

from loyalink_khalti.databases import current
from loyalink_khalti.errors import CannotSell
from loyalink_khalti.flow.members.directory import Contact, contacts, find_members
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.nepal import nepali_mobile

PHONE_FIELDS = ("phone", "phone_number")
"""Fields of a shop's user that may have a mobile number, as the search of members reads them."""
MOST_FOUND = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterCustomer:
    """Whom staff have typed: an address or a mobile number, and the users who have it."""

    email: str = ""
    phone: str = ""
    """Ten digits."""
    members: tuple[tuple[str, Contact], ...] = ()
    """Users by their pk. Without one the points wait for the customer who claims them."""


def find_customer(typed: str, *, site_key: str) -> CounterCustomer:
    """Return the customer of an e-mail address or of a Nepali mobile number, however it is typed.

    Raises ``CannotSell`` for any other text.
    """
    text = typed.strip()
    phone = nepali_mobile(text)
    if phone:
        return CounterCustomer(phone=phone, members=_named(_users_of_phone(phone, site_key)))
    try:
        validate_email(text)
    except ValidationError as exc:
        raise CannotSell(
            _("Enter an e-mail address, or a mobile number of Nepal, for example 9841234567."), field="customer"
        ) from exc
    return CounterCustomer(email=text, members=_named(find_members([text]).get(text, [])))


def is_same_address(one: str, other: str) -> bool:
    """Return whether two addresses differ in capital letters alone.

    A database's comparison may take look-alikes of other alphabets for the same ("ı" for "I"), as in CVE-2019-19844.
    """
    return bool(one) and _plain(one) == _plain(other)


def _plain(address: str) -> str:
    return unicodedata.normalize("NFKC", address).strip().casefold()


def check_member(site_key: str, member_id: str) -> Account | None:
    """Return the account of a member who can get points; None where their first purchase opens it.

    Raises ``CannotSell`` for an account that was merged, and for a member who has left.
    """
    account = ledger.own_account(site_key, member_id)
    if account is not None and account.has_ended:
        raise CannotSell(
            _("The points of this account were moved to another account. Enter that customer instead."),
            field="customer",
        )
    if account is not None and account.left_at is not None:
        raise CannotSell(
            _("This member has left the loyalty programme. They can join it again on their points card."),
            field="customer",
        )
    return account


def _named(pks: Iterable[str]) -> tuple[tuple[str, Contact], ...]:
    return tuple(sorted(contacts(list(pks)[:MOST_FOUND]).items()))


def _users_of_phone(phone: str, site_key: str) -> list[str]:
    """The users whose own number it is: an index finds candidates, and each number is then compared."""
    users: Any = current(get_user_model().objects)
    fields = [name for name in PHONE_FIELDS if _has_field(users.model, name)]
    if not fields:
        return []
    candidates = Q()
    for name in fields:
        candidates |= Q(**{f"{name}__endswith": phone})
    indexed = Account.objects.filter(program__site_key=site_key, search_text__matches=phone, member_id__isnull=False)
    members = [pk for pk in indexed.values_list("member_id", flat=True)[:MOST_FOUND] if pk and pk.isdecimal()]
    found = users.filter(candidates | Q(pk__in=members)).order_by("pk")[: 2 * MOST_FOUND]
    return [
        str(user.pk) for user in found if phone in {nepali_mobile(str(getattr(user, name) or "")) for name in fields}
    ]


def _has_field(model: Any, name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True
