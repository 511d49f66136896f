"""``khalti_reconcile``: ask Khalti about everything that is still open."""

import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand

from loyalink_khalti.flow.reconcile import reconcile, summary

PAUSE = 60


class Command(BaseCommand):
    help = "Ask Khalti about every payment that nobody came back for, and send what waits to be sent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="keep going, with a pause between passes")
        parser.add_argument("--pause", type=int, default=PAUSE, help="seconds between passes (default %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            self._one_pass(verbosity=options["verbosity"])
            if not options["loop"]:
                return
            time.sleep(options["pause"])

    def _one_pass(self, *, verbosity: int) -> None:
        outcomes: Counter[str] = Counter()
        for payment, outcome in reconcile():
            name = outcome.value if outcome else "failed to ask (see the log)"
            outcomes[name] += 1
            if verbosity > 1:
                self.stdout.write(f"{payment.purchase_order_id}: {name}")
        self.stdout.write(summary(outcomes))
