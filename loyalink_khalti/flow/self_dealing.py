"""No self-dealing: staff move no points and no money to their own account or order, whatever their permissions.

Each action of staff asks ``forbid_self_dealing`` under its locks, once it is known to be new. An account or an order
is the actor's own if it belongs to their user, to an account that was merged with theirs, or to somebody with their
mailbox: a guest's order counts, and so does a second account. A shop of one person sets ``ALLOW_SELF_DEALING``; then
each use is logged and mailed.
"""

import logging
import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import conf, outbox
from loyalink_khalti.errors import SelfDealing
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.nepal import nepali_mobile
from loyalink_khalti.payments.models import Purchase

from .members.directory import chunked, contacts, find_user, login_name
from .review.alerts import mail_alert

log = logging.getLogger(__name__)

_MAIL = f"{__name__}.mail_self_dealing"
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
"""Domains whose mailboxes are the same with and without dots: https://support.google.com/mail/answer/7436150."""


class StaffAction(StrEnum):
    """What staff do with somebody's points or money."""

    ADJUST = "adjust"
    MERGE = "merge"
    BLOCK = "block"
    ERASE = "erase"
    IMPORT = "import"
    REFUND = "refund"
    RECORD_REFUND = "record_refund"
    RECEIVE = "receive"
    INVOICE = "invoice"
    RESOLVE = "resolve"
    COUNTER = "counter"
    STATEMENT = "statement"


_LABELS: dict[StaffAction, Promise] = {
    StaffAction.ADJUST: gettext_lazy("Adjust points"),
    StaffAction.MERGE: gettext_lazy("Merge members"),
    StaffAction.BLOCK: gettext_lazy("Block or unblock a member"),
    StaffAction.ERASE: gettext_lazy("Erase personal data"),
    StaffAction.IMPORT: gettext_lazy("Import points"),
    StaffAction.REFUND: gettext_lazy("Refund"),
    StaffAction.RECORD_REFUND: gettext_lazy("Record a refund"),
    StaffAction.RECEIVE: gettext_lazy("Record a received payment"),
    StaffAction.INVOICE: gettext_lazy("Issue an invoice"),
    StaffAction.RESOLVE: gettext_lazy("Resolve a flag"),
    StaffAction.COUNTER: gettext_lazy("Points at the counter"),
    StaffAction.STATEMENT: gettext_lazy("Decide a difference of a statement"),
}


def forbid_self_dealing(
    actor: str | None, action: StaffAction, *, members: Iterable[str | None] = (), purchase: Purchase | None = None,
    email: str = "", phone: str = "",
) -> None:  # fmt: skip
    """Refuse an action for the actor's own account or order, also of a superuser.

    ``actor`` is the user's pk as text; None is the system, or a customer for themselves, and passes. The action is
    about the accounts of ``members`` (users' pks as text), about a purchase, or about a customer without an account,
    known by ``email`` or ``phone`` (ten digits). Call it once, in the transaction of the action: with
    ``ALLOW_SELF_DEALING`` it allows the action, and logs and mails it. Raises ``SelfDealing`` with a sentence for
    staff, also where the order is a guest's and the actor's user no longer exists.
    """
    members = list(members)
    if not (_is_own(actor, members, purchase) or _is_own_contact(actor, email, phone)):
        return
    if not _is_allowed():
        raise SelfDealing(_refusal())
    about = (purchase.number or str(purchase)) if purchase is not None else ", ".join(filter(None, members))
    about = about or email or phone
    log.warning("user %s did this for themselves: %s, %s", actor, action, about)
    outbox.post(_MAIL, actor=actor, action=action.value, about=about, at=timezone.now().isoformat())


def self_dealing_obstacle(
    actor: str | None, *, members: Iterable[str | None] = (), purchase: Purchase | None = None, email: str = "",
    phone: str = "",
) -> str:  # fmt: skip
    """Return why ``forbid_self_dealing`` would refuse an action, for a page that offers it; "" if it would not."""
    is_own = not _is_allowed() and (_is_own(actor, list(members), purchase) or _is_own_contact(actor, email, phone))
    return _refusal() if is_own else ""


def mail_self_dealing(actor: str, action: str, about: str, at: str, message_id: int) -> None:
    """E-mail ``ALERTS_TO`` about an action that ``ALLOW_SELF_DEALING`` allowed; the outbox may call this twice."""
    context = {
        "actor": login_name(actor),
        "action": _LABELS[StaffAction(action)],
        "about": about,
        "at": parse_datetime(at),
    }
    mail_alert("self_dealing", context, message_id)


def mailbox_of(email: str) -> str:
    """Return one form of all addresses of a mailbox; "" for what is no address.

    Upper and lower case, what follows a plus sign, and at Gmail dots do not count: mail to ``Maya+shop@example.com``
    reaches ``maya@example.com``. Two people whose addresses differ only so would share it: no provider that we know
    of does that.
    """
    local, at, domain = unicodedata.normalize("NFKC", email).strip().casefold().rpartition("@")
    local, domain = local.partition("+")[0], domain.rstrip(".")
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}" if at and local and domain else ""


def _is_allowed() -> bool:
    return conf.get("ALLOW_SELF_DEALING") is True  # "false" in quotation marks allows nothing


def _refusal() -> str:
    return _("This is for your own account or order. Ask a colleague to do it.")


def _is_own(actor: str | None, members: list[str | None], purchase: Purchase | None) -> bool:
    if actor is None:
        return False
    of_purchase = () if purchase is None else (purchase.member_id, purchase.claimed_by)
    named = {member for member in (*members, *of_purchase) if member}
    if actor in named or not named.isdisjoint(_merged_with({actor})):
        return True
    email = purchase.frozen_cart.customer.email if purchase is not None else ""
    mailbox = _mailbox_of_actor(actor, needed=bool(email and not named))
    if not mailbox:
        return False
    addresses = [email, *_addresses(named | _merged_with(named))]
    return mailbox in {mailbox_of(address) for address in addresses}


def _is_own_contact(actor: str | None, email: str, phone: str) -> bool:
    """Return whether an address or a mobile number of a customer without an account is the actor's own."""
    if actor is None or not (email or phone):
        return False
    user = find_user(actor)
    phones = {nepali_mobile(str(getattr(user, name, "") or "")) for name in ("phone", "phone_number")}
    if phone and phone in phones:
        return True
    mailbox = mailbox_of(email)
    return bool(mailbox) and mailbox == _mailbox_of_actor(actor, needed=True)


def _mailbox_of_actor(actor: str, *, needed: bool) -> str:
    """Return the actor's mailbox, "" without one. A guest's order is known by it alone."""
    contact = contacts([actor]).get(actor)
    if contact is None and needed:
        raise SelfDealing(_("Your user account no longer exists, so it is unknown whose order this is. Log in again."))
    return mailbox_of(contact.email) if contact else ""


def _addresses(members: set[str]) -> Iterator[str]:
    for chunk in chunked(sorted(members)):
        yield from (contact.email for contact in contacts(chunk).values())


def _merged_with(members: set[str]) -> set[str]:
    """Return the members of every account that a merge has joined with one of theirs, whichever of the two ended."""
    found: set[str] = set()
    for chunk in chunked(sorted(members)):
        accounts = Account.objects.filter(member_id__in=chunk)
        joined = accounts.filter(Q(successor__isnull=False) | Q(merged__isnull=False)).distinct()
        pks = {pk for account in joined for pk in ledger.surviving_account(account).with_merged()}
        of_accounts = Account.objects.filter(pk__in=pks).values_list("member_id", flat=True)
        found.update(member for member in of_accounts if member)
    return found
