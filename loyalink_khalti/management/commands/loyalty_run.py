"""``loyalty_run``: what points do on their dates. Run it every day, or every hour."""

import sys
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.management.progress import with_progress


class Command(BaseCommand):
    help = (
        "Make pending points available on their day, expire those that are due, update tiers, and notify members "
        "whose points expire soon. It may be run any number of times; after an interruption, run it again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        totals = {"accounts": ledger.count_due()}

        def show(rows: Iterable[Any], name: str) -> Iterable[Any]:
            return with_progress(rows, total=totals.get(name, 0), stream=self.stderr, label=name)

        result = flow.run_points(show=show)
        self.stdout.write(result.summary)
        if result.problem:
            self.stderr.write(result.problem)
            sys.exit(1)
