"""Notify members that points expire soon: by a signal, and by e-mail to those who have an address."""

from collections.abc import Iterator
from datetime import date

from django.db import transaction

from loyalink_khalti.flow.notices import posting
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import ExpiryNotice
from loyalink_khalti.money import Paisa, Points


def notify_expiring() -> Iterator[ExpiryNotice]:
    """Notify every member whose points expire soon, once, and yield each notice.

    Each account has a transaction of its own, so that the next run continues where a killed one ended.
    """
    for account_id in ledger.accounts_to_notify():
        with transaction.atomic():
            notice = ledger.create_expiry_notice(account_id)
            if notice is not None:
                posting.points_expiring(notice)
        if notice is not None:
            yield notice


def send_mail(*, site_key: str, member_id: str, points: int, points_value: int, last_day: str) -> None:
    """Notify a member: a message that the version before this one has left."""
    posting.points_expiring(
        ExpiryNotice(
            site_key=site_key,
            member_id=member_id,
            points=Points(points),
            points_value=Paisa(points_value),
            last_day=date.fromisoformat(last_day),
        )
    )


def send_signal(**_figures: object) -> None:
    """Do nothing: the version before this one has left a message for the signal and one for the mail."""
