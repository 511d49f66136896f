"""``khalti_reconcile``: look up every payment that may still change."""

import random
import signal
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.management.progress import ending_on_signals, with_progress

LOOP_PAUSE = 30
NOT_MIGRATED = "The database lacks migrations of this version. Run `python manage.py migrate` first: {names}"
ONE_PROCESS = "{why} One process looks the payments up; another khalti_reconcile may run beside it."
FIGURES = "{done.done} looked up in {done.seconds:.1f} s, {done.per_second:.0f} a second, by {all} workers"
FIGURES_FROM = 100
"""Payments in a pass from which its figures are printed without ``-v 2``."""


class Command(BaseCommand):
    help = (
        "Look up the payments whose customers did not return, find refunds made in Khalti's dashboard, and send "
        "waiting messages. Any number may run at the same time; one that is killed leaves nothing behind."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--loop", action="store_true", help="run until stopped, and look up each payment when it is due"
        )
        parser.add_argument(
            "--pause",
            type=_above_zero,
            default=LOOP_PAUSE,
            help="seconds between two passes of the loop (%(default)s)",
        )
        parser.add_argument(
            "--processes",
            type=_above_zero,
            help="processes of a large pass (the number of cores; SQLite: 1)",
        )
        parser.add_argument(
            "--workers", type=_above_zero, help="payments that each process looks up at the same time (16)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if (options["processes"] or 1) > 1 and (why := flow.process_obstacle()):
            self.stderr.write(ONE_PROCESS.format(why=why))
        with ending_on_signals() as received:
            try:
                self._loop(options) if options["loop"] else self._once(options)
            except KeyboardInterrupt:
                if not options["loop"]:
                    sys.exit(128 + (received or [signal.SIGINT])[0])

    def _once(self, options: dict[str, Any]) -> None:
        if missing := flow.missing_migrations():
            raise CommandError(NOT_MIGRATED.format(names=", ".join(missing)), returncode=2)
        labels, _is_full = self._pass(options, due_only=False)
        if labels[flow.PassLabel.NO_KEY]:
            raise CommandError(flow.NO_KEY, returncode=2)

    def _loop(self, options: dict[str, Any]) -> None:
        while True:
            close_old_connections()
            is_full = False
            try:
                _labels, is_full = self._pass(options, due_only=True)
            except (DatabaseError, InterfaceError) as exc:  # it may be restarting; the next pass tries again
                self.stderr.write(self._without_migrations() or f"the database: {safe_trace(exc)}")
            if is_full:  # more is due, and each pass begins with what may be paid
                continue
            time.sleep(options["pause"] * random.uniform(0.9, 1.1))  # noqa: S311 - spread, not secret

    def _without_migrations(self) -> str:
        """Return what to do where this version runs before ``migrate``; "" where that is not so."""
        try:
            missing = flow.missing_migrations()
        except (DatabaseError, InterfaceError):
            return ""
        return NOT_MIGRATED.format(names=", ".join(missing)) if missing else ""

    def _pass(self, options: dict[str, Any], *, due_only: bool) -> tuple[Counter[str], bool]:
        """Make a pass; return what it found, and whether more may be due than one pass takes."""
        labels: Counter[str] = Counter()
        results = flow.ReconcilerPass(processes=options["processes"], workers=options["workers"], due_only=due_only)
        try:
            with closing(iter(results)) as rows:  # so that its threads and processes end before anything else happens
                self._print(rows, results.total, labels, by_line=options["verbosity"] > 1)
        finally:  # also of a pass that a signal has ended
            if labels or not due_only:
                self.stdout.write(flow.pass_summary(labels))
        if (done := results.figures) and (options["verbosity"] > 1 or labels.total() >= FIGURES_FROM):
            self.stdout.write(FIGURES.format(done=done, all=f"{done.processes} × {done.workers}"))
        flow.notice_missing_orders()
        flow.notice_cancelled_orders()
        flow.remind_staff()
        if labels[flow.PassLabel.NOT_LOOKED_UP]:
            self.stderr.write("Khalti is not responding; the next pass looks up the remaining payments.")
        for outage in flow.outages():
            since = f"{timezone.localtime(outage.silent_since):%Y-%m-%d %H:%M}"
            self.stderr.write(f"{outage.server} has given no usable answer since {since}: {outage.error}.")
        if labels[flow.PassLabel.NO_KEY] and options["loop"]:
            self.stderr.write(flow.NO_KEY)
        return labels, results.is_full and not labels[flow.PassLabel.NOT_LOOKED_UP]

    def _print(self, rows: Iterator[flow.PassResult], total: int, labels: "Counter[str]", *, by_line: bool) -> None:
        shown = rows if by_line else with_progress(rows, total=total, stream=self.stderr, label="payments")
        for result in shown:
            labels[result.label] += 1
            if by_line:
                self.stdout.write(f"{result.payment.purchase_order_id}: {result.label}")


def _above_zero(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number
