"""``khalti_reconcile``: ask Khalti about everything that is still open."""

import random
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections

from loyalink_khalti.errors import traced
from loyalink_khalti.flow import Pass
from loyalink_khalti.flow.reconcile import NOT_ASKED, summary
from loyalink_khalti.management.progress import shown

PAUSE = 30
WORKERS = 16


class Command(BaseCommand):
    help = (
        "Ask Khalti about every payment that nobody came back for, look for refunds that were made elsewhere, and"
        " send what waits to be sent. Any number may run at once; one that is killed leaves nothing behind."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--loop", action="store_true", help="keep going, asking about each payment when it is due, with pauses"
        )
        parser.add_argument(
            "--pause", type=_above_zero, default=PAUSE, help="seconds between two passes of --loop (%(default)s)"
        )
        parser.add_argument(
            "--workers", type=_above_zero, default=WORKERS, help="how many are asked about at once (%(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["loop"]:
            self._pass(options, due_only=False)
            return
        with suppress(KeyboardInterrupt):
            self._go_on(options)

    def _go_on(self, options: dict[str, Any]) -> None:
        while True:
            close_old_connections()
            try:
                self._pass(options, due_only=True)
            except (DatabaseError, InterfaceError) as exc:  # it may be restarting; so would the next pass be
                self.stderr.write(f"the database: {traced(exc)}")
            time.sleep(options["pause"] * random.uniform(0.9, 1.1))  # noqa: S311 - spread, not secret

    def _pass(self, options: dict[str, Any], *, due_only: bool) -> None:
        told: Counter[str] = Counter()
        round_ = Pass(workers=options["workers"], due_only=due_only)
        lines = options["verbosity"] > 1
        for looked in round_ if lines else shown(round_, total=round_.total, stream=self.stderr, what="payments"):
            told[looked.told] += 1
            if lines:
                self.stdout.write(f"{looked.payment.purchase_order_id}: {looked.told}")
        if told or not due_only:
            self.stdout.write(summary(told))
        if told[NOT_ASKED]:
            self.stderr.write("Khalti does not answer just now; the next pass asks about what is left.")


def _above_zero(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number
