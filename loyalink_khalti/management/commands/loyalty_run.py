"""``loyalty_run``: what time does to points. To be run every day, or every hour."""

import sys
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from loyalink_khalti import flow
from loyalink_khalti.flow import people
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.sweeping import FAILED
from loyalink_khalti.management.progress import shown


class Command(BaseCommand):
    help = (
        "Make points available whose waiting time is over, expire those that are due, let tiers lapse, and warn "
        "members whose points expire soon. May be run any number of times, be killed, and be run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        accounts: Counter[str] = Counter()
        points: Counter[str] = Counter()
        total = ledger.accounts_to_sweep()
        for swept in shown(ledger.sweep(), total=total, stream=self.stderr, what="accounts"):
            accounts[swept.did] += 1
            points[swept.did] += swept.points
        for soon in shown(flow.warn(), total=0, stream=self.stderr, what="warnings"):
            accounts["warned"] += 1
            points["warned"] += soon.points
        people.name_accounts()
        self.stdout.write(summary(accounts, points))
        if accounts[FAILED]:
            self.stderr.write("The log says what failed; loyalink_audit says what is wrong with those accounts.")
            sys.exit(1)


def summary(accounts: "Counter[str]", points: "Counter[str]") -> str:
    """One line for a person: accounts and points, by what was done."""
    if not accounts:
        return "nothing was due"
    return ", ".join(
        f"{number} {did}" + (f" ({points[did]} points)" if points[did] else "")
        for did, number in sorted(accounts.items())
    )
