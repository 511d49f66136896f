"""``loyalty_run``: what points do on their dates. Run it every day, or every hour."""

import sys
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.management.progress import count, with_progress

NOTIFIED = "notified"


class Command(BaseCommand):
    help = (
        "Make pending points available on their day, expire those that are due, update tiers, and notify members "
        "whose points expire soon. It may be run any number of times; after an interruption, run it again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        accounts: Counter[str] = Counter()
        points: Counter[str] = Counter()
        total = ledger.count_due()
        for result in with_progress(ledger.sweep(), total=total, stream=self.stderr, label="accounts"):
            accounts[result.action] += 1
            points[result.action] += result.points
        for notice in with_progress(flow.notify_expiring(), total=0, stream=self.stderr, label="notices"):
            accounts[NOTIFIED] += 1
            points[NOTIFIED] += notice.points
        flow.index_members()
        self.stdout.write(_summary(accounts, points))
        if accounts[ledger.FAILED]:
            self.stderr.write("The log says what failed; loyalink_audit says what is wrong with those accounts.")
            sys.exit(1)


def _summary(accounts: "Counter[str]", points: "Counter[str]") -> str:
    """Write accounts and points by what was done: ``1 account activated (250 points), 2 accounts changed tier``."""
    if not accounts:
        return "nothing was due"
    return ", ".join(
        f"{count(number, 'account')} {action}" + (f" ({count(points[action], 'point')})" if points[action] else "")
        for action, number in sorted(accounts.items())
    )
