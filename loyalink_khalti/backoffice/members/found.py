"""Members as staff look for them, and what staff call them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from loyalink_khalti.backoffice.sites import site_names
from loyalink_khalti.flow import people
from loyalink_khalti.flow.people import Person
from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.programmes import ProgramVersion
from loyalink_khalti.payments.models import Purchase

MOST_PURCHASES = 200
"""The newest purchases by whose name, e-mail address or phone, as typed at the checkout, a member is found."""

MOST_NAMED = 1_000
"""Accounts that are named on the way; ``loyalty_run`` names the others, so that nobody waits for a page."""


def found(accounts: QuerySet[Account], words: str) -> QuerySet[Account]:
    """Those that go by these words, or have bought by them."""
    people.name_accounts(most=MOST_NAMED)
    bought = Purchase.objects.filter(words__has_words=words).order_by("-pk")
    pairs = bought.values_list("member_id", "claimed_by")[:MOST_PURCHASES]
    buyers = {member_id or claimed_by for member_id, claimed_by in pairs} - {None}
    named = Q(words__has_words=words)
    return accounts.filter(named | Q(member_id__in=sorted(buyers)) if buyers else named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A row of a list: an account, whose it is and what level that is."""

    account: Account
    person: Person
    tier: str
    site: str

    @property
    def pk(self) -> int:
        return int(self.account.pk)

    @property
    def called(self) -> str:
        return called(self.account, self.person)

    @property
    def earned(self) -> int:
        return int(self.account.lifetime_earned + self.account.inherited)

    @property
    def chips(self) -> list[str]:
        return chips(self.account)

    @property
    def status(self) -> str:
        return ", ".join(self.chips)


class Rows:
    """Accounts made members of a list: names by one query for a page, tiers by one for all."""

    def __init__(self, versions: Sequence[ProgramVersion] | None = None) -> None:
        """``versions``: the newest rules of all sites; none where accounts bring their lowest tier."""
        versions = programmes.newest() if versions is None else versions
        self._versions = {version.program_id: version for version in versions}
        self._sites = site_names() if versions else {}

    def of(self, accounts: Iterable[Account]) -> list[Member]:
        accounts = list(accounts)
        persons = people.who(account.member_id for account in accounts)
        return [self._row(account, persons) for account in accounts]

    def _row(self, account: Account, persons: dict[str, Person]) -> Member:
        version = self._versions.get(account.program_id)  # None: of a programme that has ended
        site = version.program.site_key if version else ""
        tier = account.tier or (version.rules.tiers[0].name if version else getattr(account, "lowest_tier", "") or "")
        return Member(
            account=account,
            person=persons.get(account.member_id or "", Person()),
            tier=_(tier) if tier else "",
            site=self._sites.get(site, site),
        )


def called(account: Account, person: Person) -> str:
    """What staff call a member whose name the shop may know no more."""
    if account.member_id is None:
        return _("Erased member")
    return str(person) or _("Member %(number)s") % {"number": account.member_id}


def chips(account: Account) -> list[str]:
    """How an account differs from others, in a word each."""
    if account.member_id is None:
        return [_("erased")]
    if account.successor_id is not None:
        return [_("merged")]
    return [_("frozen")] if account.frozen else []


def live(accounts: QuerySet[Account]) -> QuerySet[Account]:
    """Without those that were merged or erased."""
    return accounts.filter(successor=None, member_id__isnull=False)


def person_of(account: Account) -> Person:
    """Whose account it is."""
    return people.who([account.member_id]).get(account.member_id or "", Person())
