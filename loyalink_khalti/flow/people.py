"""Members by the names that people know them by, and where they have points."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Lower

from loyalink_khalti.finding import words_of
from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.models import Account

CHUNK = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An account as it is told of: ``member`` is an e-mail address or a pk, None where a person was erased."""

    account: Account
    member: str | None
    tier: str


def standings(*, site_key: str | None = None, members_only: bool = False) -> Iterator[Standing]:
    """The accounts of a site, or of all, streamed; ``members_only`` leaves out those merged or erased."""
    lowest = cache(lambda key: programmes.current(key).rules.tiers[0].name)
    accounts = Account.objects.select_related("program").order_by("pk")
    if site_key is not None:
        accounts = accounts.filter(program__site_key=site_key, program__active=True)
    if members_only:
        accounts = accounts.filter(member_id__isnull=False, successor=None)
    for chunk in chunks(accounts.iterator(chunk_size=CHUNK)):
        names = emails(account.member_id for account in chunk)
        for account in chunk:
            yield Standing(
                account=account,
                member=names.get(account.member_id or "", account.member_id),
                tier=account.tier or lowest(account.program.site_key),
            )


def emails(member_ids: Iterable[str | None]) -> dict[str, str]:
    """The e-mail addresses of members by their pks; the pk itself where a user has none."""
    users = _users(member_ids)
    return {str(user.pk): str(getattr(user, user.get_email_field_name(), "") or user.pk) for user in users}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody as the shop knows them; empty where it knows nothing."""

    name: str = ""
    email: str = ""

    def __str__(self) -> str:
        return self.name or self.email


def who(member_ids: Iterable[str | None]) -> dict[str, Person]:
    """People by their pks, one query for all; whom the shop knows no more is not there."""
    return {str(user.pk): _person(user) for user in _users(member_ids)}


def members(names: Iterable[str]) -> dict[str, list[str]]:
    """The pks of the users that go by each e-mail address or pk; a name that nobody has is not there."""
    names, users = set(names), get_user_model().objects
    field = get_user_model().get_email_field_name()
    found: dict[str, list[str]] = {}
    for chunk in chunks(sorted(names)):
        by_address = {name.casefold(): name for name in chunk if "@" in name}
        named = users.annotate(address=Lower(field)).filter(address__in=by_address)
        for pk, address in named.order_by("pk").values_list("pk", "address"):
            found.setdefault(address, []).append(str(pk))
        pks = [pk for pk in map(_pk, chunk) if pk is not None]
        found |= {str(pk): [str(pk)] for pk in users.filter(pk__in=pks).values_list("pk", flat=True)}
    return {name: found[key] for name in names if (key := name.casefold()) in found}


def is_staff(member_id: str | None) -> bool:
    """Whether a member is one of the shop's staff."""
    return any(getattr(user, "is_staff", False) for user in _users([member_id]))


def name_accounts(*, most: int = 20_000) -> None:
    """Write down what the accounts are found by that nobody has looked for yet; ``loyalty_run`` does the same."""
    named = 0
    while named < most and Account.objects.filter(words=None).exists():
        number = _name_some(min(CHUNK, most - named))
        if not number:  # others are at them
            return
        named += number


@transaction.atomic
def _name_some(most: int) -> int:
    """Under the accounts' locks: somebody who is erased meanwhile must not get their name back."""
    nameless = Account.objects.select_for_update(skip_locked=True, of=("self",)).filter(words=None)
    some = list(nameless.order_by("pk")[:most])
    known = {str(user.pk): _words(user) for user in _users(account.member_id for account in some)}
    for account in some:
        account.words = known.get(account.member_id or "", words_of([account.member_id]))
    Account.objects.bulk_update(some, ["words"])
    return len(some)


def rename(user: Any) -> None:
    """Whatever is known of a user has changed: their accounts are found by it from now on."""
    Account.objects.filter(member_id=str(user.pk)).update(words=_words(user))


def is_named_by(fields: Iterable[str] | None) -> bool:
    """Whether any of these fields of a user (None: all) says what they are called; a log-in saves none of them."""
    return fields is None or not _SAYS_NO_NAME.issuperset(fields)


_SAYS_NO_NAME = frozenset({"last_login", "password", "is_active", "is_staff"})


def _words(user: Any) -> str:
    names = (str(getattr(user, name, "") or "") for name in ("email", "phone", "phone_number"))
    return words_of([user.get_username(), user.get_full_name() if hasattr(user, "get_full_name") else "", *names])


def _person(user: Any) -> Person:
    full = user.get_full_name() if hasattr(user, "get_full_name") else ""
    email = str(getattr(user, user.get_email_field_name(), "") or "")
    return Person(name=full or ("" if email else user.get_username()), email=email)


def _users(member_ids: Iterable[str | None]) -> Any:
    pks = {_pk(name) for name in member_ids if name} - {None}  # a shop may name members by what is no pk here
    return get_user_model().objects.filter(pk__in=pks)


def _pk(name: str) -> Any:
    """A name as a user's pk, None where it cannot be one."""
    field = get_user_model()._meta.pk
    assert field is not None
    try:
        return field.clean(name, None)  # type: ignore[no-untyped-call, unused-ignore]
    except ValidationError:
        return None


def sites_of(member_id: str, site_key: str | None = None) -> list[str]:
    """The sites on which a person has an account, or the one of them that is asked for."""
    accounts = Account.objects.filter(member_id=member_id, program__active=True)
    if site_key is not None:
        accounts = accounts.filter(program__site_key=site_key)
    return sorted(accounts.values_list("program__site_key", flat=True))


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    """Rows, some hundreds at a time."""
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
