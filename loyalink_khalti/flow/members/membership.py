"""Accept the terms of the programme, leave it, and join it again: what a member does on the points card."""

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from loyalink_khalti.errors import AccountMerged, TermsChanged
from loyalink_khalti.flow.program.terms import ProgramTerms, program_terms
from loyalink_khalti.flow.transactions import in_one_block
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import LeavingPreview, Membership
from loyalink_khalti.money import Points


def accept_terms(*, site_key: str, member_id: str, version: str) -> bool:
    """Record that a member accepts the terms of a site; they join the programme again if they had left it.

    ``version`` is that of the terms which they have read, in the active language. Return False where they had accepted
    them before. Raises ``TermsChanged`` where the terms are others by now, and ``AccountMerged`` for an account that
    has ended, both with a sentence for the customer. May run in the caller's transaction.
    """
    terms = program_terms(site_key)
    if terms.version != version:
        raise TermsChanged(_("The terms have changed since you opened the page. Please read them again."))
    words, language = _all_sentences(terms), get_language() or ""
    try:
        return ledger.accept_terms(
            site_key=site_key, member_id=member_id, version=version, sentences=words, language=language
        )  # fmt: skip
    except AccountMerged as exc:
        raise AccountMerged(_merged_message()) from exc


def leave_program(*, site_key: str, member_id: str) -> Points:
    """Let a member leave the programme; return the points that they lose, 0 where they had left before.

    They earn nothing until they accept the terms again. Raises ``AccountMerged`` for an account that has ended, with a
    sentence for the customer. Commits by itself.
    """
    try:
        return in_one_block(lambda: ledger.leave(site_key=site_key, member_id=member_id))
    except AccountMerged as exc:
        raise AccountMerged(_merged_message()) from exc


def quote_leaving(*, site_key: str, member_id: str) -> LeavingPreview:
    """Return what a member would lose by leaving the programme now. Writes nothing."""
    return ledger.preview_leaving(site_key, member_id)


def membership(*, site_key: str, member_id: str) -> Membership:
    """Return since when a customer is a member, and which terms they have accepted when; two queries."""
    return ledger.membership(ledger.own_account(site_key, member_id))


def _all_sentences(terms: ProgramTerms) -> list[str]:
    return [*filter(None, (terms.name, terms.text)), *terms.sentences]


def _merged_message() -> str:
    return _("Your points were moved to another account. Log in with that one.")
