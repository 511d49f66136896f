"""Search for members, and the rows that lists of members show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.flow import Contact
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.program import ProgramVersion
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.staff.sites import site_names

PURCHASES_SEARCHED = 200
"""A member is also found by the name, e-mail address or phone of this many of the newest matching purchases."""
INDEXED_PER_SEARCH = 1_000
"""New accounts that one search adds to the index; ``loyalty_run`` adds the others, so that no page is slow."""


def search(accounts: QuerySet[Account], text: str) -> QuerySet[Account]:
    """Return the accounts whose member, or whose recent purchase, matches ``text``."""
    flow.index_members(most=INDEXED_PER_SEARCH)
    purchases = Purchase.objects.filter(search_text__matches=text).order_by("-pk")
    pairs = purchases.values_list("member_id", "claimed_by")[:PURCHASES_SEARCHED]
    buyers = {member_id or claimed_by for member_id, claimed_by in pairs} - {None}
    matches = Q(search_text__matches=text)
    return accounts.filter(matches | Q(member_id__in=sorted(buyers)) if buyers else matches)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """An account in a list, with its contact and the names of its tier and site."""

    account: Account
    contact: Contact
    tier: str
    site: str

    @property
    def pk(self) -> int:
        return int(self.account.pk)

    @property
    def display_name(self) -> str:
        return display_name(self.account, self.contact)

    @property
    def earned(self) -> int:
        return self.account.earned_in_all

    @property
    def redeemed(self) -> int:
        return self.account.redeemed_in_all

    @property
    def tags(self) -> list[str]:
        return status_tags(self.account)

    @property
    def status(self) -> str:
        return ", ".join(self.tags)


class MemberRows:
    """Make rows of accounts: one query for the contacts of a page, one for the rules of all sites."""

    def __init__(self, versions: Sequence[ProgramVersion] | None = None) -> None:
        """``versions``: the current rules of all sites; empty where the accounts have a ``lowest_tier``."""
        versions = ledger.current_versions() if versions is None else versions
        self._versions = {version.program_id: version for version in versions}
        self._sites = site_names() if versions else {}

    def of(self, accounts: Iterable[Account]) -> list[MemberRow]:
        accounts = list(accounts)
        contacts = flow.contacts(account.member_id for account in accounts)
        return [self._row(account, contacts) for account in accounts]

    def _row(self, account: Account, contacts: dict[str, Contact]) -> MemberRow:
        version = self._versions.get(account.program_id)  # None: the programme has ended
        site = version.program.site_key if version else ""
        tier = account.tier or (version.rules.tiers[0].name if version else getattr(account, "lowest_tier", "") or "")
        return MemberRow(
            account=account,
            contact=contacts.get(account.member_id or "", Contact()),
            tier=_(tier) if tier else "",
            site=self._sites.get(site, site),
        )


def display_name(account: Account, contact: Contact) -> str:
    """Return the name of a member, also of one whose user is deleted or whose personal data is erased."""
    if account.member_id is None:
        return _("Erased member")
    return str(contact) or _("Member %(number)s") % {"number": account.member_id}


def status_tags(account: Account) -> list[str]:
    """Return what is unusual about an account: erased or merged, or else left and blocked."""
    if account.member_id is None:
        return [_("erased")]
    if account.successor_id is not None:
        return [_("merged")]
    left = [_("left")] if account.left_at else []
    return [*left, _("blocked")] if account.blocked else left


def exclude_closed(accounts: QuerySet[Account]) -> QuerySet[Account]:
    """Leave out the accounts that were merged or erased."""
    return accounts.filter(successor=None, member_id__isnull=False)


def contact_of(account: Account) -> Contact:
    """Return the contact of an account's member; an empty one if the user is unknown."""
    return flow.contacts([account.member_id]).get(account.member_id or "", Contact())
