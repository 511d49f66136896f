"""The one-time code with which a member redeems points at the counter: their points card shows it."""

from django.utils.translation import gettext as _

from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import IssuedCode


class NoCode(LoyalinkError):
    """No code can be shown; ``str()`` is a sentence for the member."""


def show_counter_code(*, site_key: str, member_id: str) -> IssuedCode:
    """Return a new code of a member, good for minutes and for one sale; the one before is void.

    Raises ``NoCode`` where the member has no points to use or has had too many codes, and ``InsideTransaction``.
    """
    forbid_transaction("show_counter_code")
    account = ledger.own_account(site_key, member_id)
    if account is None or account.has_ended or account.left_at is not None or not account.available:
        raise NoCode(_("You have no points to use at the moment."))
    if account.blocked:
        raise NoCode(_("Your points are blocked. Please contact the shop."))
    issued = in_one_block(lambda: ledger.issue_counter_code(site_key=site_key, member_id=member_id))
    if issued is None:
        raise NoCode(_("That was one code too many. Please try again in an hour."))
    return issued
