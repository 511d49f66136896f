"""Notify members that points expire soon: by a signal, and by e-mail to those who have an address."""

from collections.abc import Iterator

from django.db import transaction

from loyalink_khalti.flow.notices import posting
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import ExpiryNotice


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
