"""Accept the terms of the programme, leave it, and join it again.

A customer with an account earns points; accepting the terms is recorded beside that. A member who leaves loses all
points and earns none until they accept the terms again. Debts stay, and the points that were lost repay them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from loyalink_khalti.clock import time_of
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.returning import insert_new

from .accounts import own_account
from .locks import lock_account
from .models import Account
from .posting import LEFT, Posting, overdue_points
from .program import current_version
from .rules import points_value
from .terms import MembershipEvent, MembershipEventKind, TermsText


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Since when a customer is a member, and which terms they have accepted when."""

    joined_at: datetime | None = None
    """None for a customer without an account, who joins with the first points or by accepting the terms."""
    left_at: datetime | None = None
    """None for a member."""
    accepted_at: datetime | None = None
    """None where no terms were accepted since the member joined."""
    terms_version: str = ""
    has_ended: bool = False
    """Whether the account was merged into another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingPreview:
    """What a member loses by leaving: points, and the value of the available ones in paisa."""

    available: Points
    points_value: Paisa
    pending: Points
    held: Points
    """Reserved for a payment: used if it is paid, lost if it is not."""
    owed: Points
    """What is owed and the lost points do not repay: it stays."""


def membership(account: Account | None) -> Membership:
    """Return the membership of an account's member; at most one query."""
    if account is None:
        return Membership()
    event = newest_acceptance(account) if account.left_at is None else None
    return Membership(
        joined_at=account.rejoined_at or account.joined_at,
        left_at=account.left_at,
        accepted_at=event.at if event else None,
        terms_version=event.terms.version if event and event.terms else "",
        has_ended=account.has_ended,
    )


def newest_acceptance(account: Account) -> MembershipEvent | None:
    """Return when the member last accepted terms, and which."""
    accepted = account.membership_events.filter(kind=MembershipEventKind.ACCEPTED)
    return accepted.select_related("terms").order_by("-pk").first()


@transaction.atomic
def accept_terms(*, site_key: str, member_id: str, version: str, sentences: Sequence[str], language: str) -> bool:
    """Record that a member accepts a version of the terms, as shown in a language; they join again if they had left.

    Return False, and record nothing, for a member who has accepted this version before. Raises ``AccountMerged`` where
    the account has ended.
    """
    account = lock_account(site_key, member_id)
    newest = newest_acceptance(account)
    if account.left_at is None and newest is not None and newest.terms and newest.terms.version == version:
        return False
    terms = _stored(account, version=version, language=language, sentences=list(sentences))
    MembershipEvent.objects.create(
        account=account, kind=MembershipEventKind.ACCEPTED, terms=terms, at=time_of(account)
    )  # fmt: skip
    if account.left_at is not None:
        Account.objects.filter(pk=account.pk).update(left_at=None, rejoined_at=time_of(account))
    return True


def _stored(account: Account, *, sentences: list[str], **text: str) -> TermsText:
    """Return the row of terms in one language; the first member who accepts them stores it."""
    kept = TermsText.objects.filter(program=account.program_id, **text)
    if not kept.exists():  # with insert_new alone the trigger of SQLite would see a row that is to be replaced
        insert_new(TermsText(program_id=account.program_id, sentences=sentences, created_at=time_of(account), **text))
    return kept.get()


@transaction.atomic
def leave(*, site_key: str, member_id: str) -> Points:
    """Let a member leave the programme; return the points that are written off, 0 for one who had left before.

    Points that are held stay so until their payment is finished: they are used, or written off then. What an older
    order would earn later, it does not earn; what a refund restores later is written off. Debts stay, less what the
    lost points repay. Raises ``AccountMerged`` where the account has ended.
    """
    posting = Posting(account=lock_account(site_key, member_id), reason=LEFT)
    account = posting.account
    if account.left_at is not None:
        return Points(0)
    posting.expire_due()
    lost = account.available + account.pending
    account.left_at = time_of(account)
    Account.objects.filter(pk=account.pk).update(left_at=account.left_at)
    MembershipEvent.objects.create(account=account, kind=MembershipEventKind.LEFT, at=account.left_at)
    posting.post()
    return Points(lost)


def preview_leaving(site_key: str, member_id: str) -> LeavingPreview:
    """Return what a member would lose by leaving now. Writes nothing."""
    account = own_account(site_key, member_id) or Account()
    available = Points(account.available - (overdue_points(account) if account.pk else 0))
    return LeavingPreview(
        available=available,
        points_value=points_value(current_version(site_key).rules, available),
        pending=Points(account.pending),
        held=Points(account.held),
        owed=Points(max(account.owed - account.pending - account.forfeited, 0)),
    )


def settle_left(account_id: int) -> Points:
    """Write off what the account of a member who has left still has; return how many points.

    A server with the version before does not know that a member can leave.
    """
    posting = Posting.lock(account_id, follow_merge=False, reason=LEFT)
    points = posting.account.available + posting.account.pending
    posting.post()
    return Points(points)
