"""Members by name, e-mail address or pk, and their points accounts: what staff search and lists show."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Lower

from loyalink_khalti.databases import current
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.search import search_text_of

CHUNK = 500
"""Rows that are read at once."""
T = TypeVar("T")

_NOT_SEARCHED = frozenset({"last_login", "password", "is_active", "is_staff"})
"""Fields of a user that change without a change of name, at every login for example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAccount:
    """A points account; ``member`` is an e-mail address or a pk, None for an erased member."""

    account: Account
    member: str | None
    tier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A user's name and e-mail address, "" where the shop has none."""

    name: str = ""
    email: str = ""

    def __str__(self) -> str:
        return self.name or self.email


def member_accounts(*, site_key: str | None = None, members_only: bool = False) -> Iterator[MemberAccount]:
    """Yield the accounts of a site, or of all sites; ``members_only`` leaves out merged and erased ones."""
    lowest = cache(lambda key: ledger.current_version(key).rules.tiers[0].name)
    accounts = Account.objects.select_related("program").order_by("pk")
    if site_key is not None:
        accounts = accounts.filter(program__site_key=site_key, program__active=True)
    if members_only:
        accounts = accounts.filter(member_id__isnull=False, successor=None)
    for chunk in chunked(accounts.iterator(chunk_size=CHUNK)):
        emails = member_emails(account.member_id for account in chunk)
        for account in chunk:
            yield MemberAccount(
                account=account,
                member=emails.get(account.member_id or "", account.member_id),
                tier=account.tier or lowest(account.program.site_key),
            )


def member_emails(member_ids: Iterable[str | None]) -> dict[str, str]:
    """Return the e-mail addresses of users by their pks; the pk itself where a user has none. One query."""
    users = _users(member_ids)
    return {str(user.pk): str(getattr(user, user.get_email_field_name(), "") or user.pk) for user in users}


def contacts(member_ids: Iterable[str | None]) -> dict[str, Contact]:
    """Return names and addresses of users by their pks, without users that no longer exist. One query."""
    return {str(user.pk): _contact(user) for user in _users(member_ids)}


def login_name(member_id: str) -> str:
    """Return the name with which a user logs in, for colleagues; the pk where the user no longer exists."""
    return next((str(user.get_username()) for user in _users([member_id])), member_id)


def find_members(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the pks of the users with each e-mail address or pk; a name without users is left out."""
    names, users = set(names), current(get_user_model().objects)
    field = get_user_model().get_email_field_name()
    found: dict[str, list[str]] = {}
    for chunk in chunked(sorted(names)):
        by_address = {name.casefold(): name for name in chunk if "@" in name}
        named = users.annotate(address=Lower(field)).filter(address__in=by_address)
        for pk, address in named.order_by("pk").values_list("pk", "address"):
            found.setdefault(address, []).append(str(pk))
        pks = [pk for pk in map(_pk, chunk) if pk is not None]
        found |= {str(pk): [str(pk)] for pk in users.filter(pk__in=pks).values_list("pk", flat=True)}
    return {name: found[key] for name in names if (key := name.casefold()) in found}


def find_user(member_id: str | None) -> Any:
    """Return the user with this pk; None without one."""
    return next(iter(_users([member_id])), None)


def is_staff(member_id: str | None) -> bool:
    """Return whether a user works for the shop."""
    return bool(getattr(find_user(member_id), "is_staff", False))


def member_sites(member_id: str, site_key: str | None = None) -> list[str]:
    """Return the keys of the sites on which a member has an account, or only ``site_key`` if they have one there."""
    accounts = Account.objects.filter(member_id=member_id, program__active=True)
    if site_key is not None:
        accounts = accounts.filter(program__site_key=site_key)
    return sorted(accounts.values_list("program__site_key", flat=True))


def index_members(*, most: int = 20_000) -> None:
    """Write the search text of accounts that have none yet, of at most ``most``; ``loyalty_run`` does it too."""
    written = 0
    while written < most and Account.objects.filter(search_text=None).exists():
        number = _index_some(min(CHUNK, most - written))
        if not number:  # other processes have them locked
            return
        written += number


@transaction.atomic
def _index_some(most: int) -> int:
    """Under the accounts' locks, so that a member who is erased at this moment does not get their name back."""
    unindexed = Account.objects.select_for_update(skip_locked=True, of=("self",)).filter(search_text=None)
    accounts = list(unindexed.order_by("pk")[:most])
    texts = {str(user.pk): _search_text(user) for user in _users(account.member_id for account in accounts)}
    for account in accounts:
        account.search_text = texts.get(account.member_id or "", search_text_of([account.member_id]))
    Account.objects.bulk_update(accounts, ["search_text"])
    return len(accounts)


def reindex_member(user: Any) -> None:
    """Update the search text of a user's accounts."""
    Account.objects.filter(member_id=str(user.pk)).update(search_text=_search_text(user))


def affects_search(fields: Iterable[str] | None) -> bool:
    """Return whether saving these fields of a user (None: all) can change their search text."""
    return fields is None or not _NOT_SEARCHED.issuperset(fields)


def chunked(rows: Iterable[T]) -> Iterator[list[T]]:
    """Yield rows in lists of some hundreds."""
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


def _search_text(user: Any) -> str:
    names = (str(getattr(user, name, "") or "") for name in ("email", "phone", "phone_number"))
    return search_text_of([user.get_username(), _full_name(user), *names])


def _contact(user: Any) -> Contact:
    email = str(getattr(user, user.get_email_field_name(), "") or "")
    return Contact(name=_full_name(user) or ("" if email else user.get_username()), email=email)


def _full_name(user: Any) -> str:
    return str(user.get_full_name() or "") if hasattr(user, "get_full_name") else ""


def _users(member_ids: Iterable[str | None]) -> Any:
    pks = {_pk(name) for name in member_ids if name} - {None}  # a shop may use member ids that are no pk here
    return current(get_user_model().objects).filter(pk__in=pks)


def _pk(name: str) -> Any:
    """A name as a user's pk, None where it cannot be one."""
    field = get_user_model()._meta.pk
    assert field is not None
    try:
        return field.clean(name, None)  # type: ignore[no-untyped-call, unused-ignore]
    except ValidationError:
        return None
