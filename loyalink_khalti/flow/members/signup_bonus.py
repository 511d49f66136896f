"""The bonus of the loyalty programme for making an account."""

from django.db import transaction

from loyalink_khalti import outbox
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.loyalty import ledger

_HERE = "loyalink_khalti.flow.members.signup_bonus"


def award_signup_bonus(*, site_key: str, member_id: str) -> None:
    """Award the sign-up bonus of a site to a member once, after commit; do nothing if its rules have none."""
    if ledger.current_version(site_key).rules.signup_bonus:
        outbox.post(f"{_HERE}.award", site_key=site_key, member_id=member_id)


def award(site_key: str, member_id: str) -> None:
    """Award the bonus. The outbox calls this at least once."""
    with transaction.atomic():
        points = ledger.award_signup_bonus(site_key=site_key, member_id=member_id)
        if points:
            posting.signup_bonus_awarded(site_key=site_key, member_id=member_id, points=points)
