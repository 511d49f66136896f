"""``loyalink_audit``: check that payments, the shop's orders and the points agree."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from loyalink_khalti import flow
from loyalink_khalti.loyalty import audit as ledger_audit
from loyalink_khalti.management.progress import count

INFERRED = "order {order}: refund {refund} of {amount} paisa is {state} by inference: Khalti reported {khalti}"
"""A line about a refund that Khalti has neither confirmed nor refused. It breaks no invariant."""


class Command(BaseCommand):
    help = "Check every invariant that the database can show; exit with 1 where one is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print everything as JSON")
        parser.add_argument(
            "--repair", action="store_true", help="first rebuild balances and sums of closed months from the entries"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["repair"]:
            self.stderr.write(f"{count(ledger_audit.repair(), 'account')} rebuilt from the entries")
            if months := ledger_audit.rebuild_months():
                self.stderr.write(f"{count(months, 'closed month')} summed anew")
        ok = self._print_json() if options["json"] else self._print_text()
        if not ok:
            sys.exit(1)

    def _print_json(self) -> bool:
        """Write one JSON object, row by row as it is read, its ``ok`` last."""
        self.stdout.write("{", ending="")
        broken = self._print_list("violations", (asdict(violation) for violation in flow.recorded_audit()))
        for name, rows in flow.audit_rows().items():
            self._print_list(name, rows)
        self.stdout.write(f'\n  "ok": {json.dumps(not broken)}\n}}')
        return not broken

    def _print_list(self, name: str, rows: Iterator[dict[str, Any]]) -> int:
        number = 0
        self.stdout.write(f'\n  "{name}": [', ending="")
        for number, row in enumerate(rows, 1):
            comma = "," if number > 1 else ""
            self.stdout.write(f"{comma}\n    {json.dumps(row, ensure_ascii=False)}", ending="")
        self.stdout.write("\n  ]," if number else "],", ending="")
        return number

    def _print_text(self) -> bool:
        ok = True
        for violation in flow.recorded_audit():
            ok = False
            line = f"{violation.invariant} {violation.subject}: {violation.detail}"
            self.stdout.write(self.style.ERROR(line))
        for row in flow.audit_rows()["recorded_outcomes"]:
            self.stdout.write(f"{row['payment']}: {row['recorded']}, as staff recorded; no lookup has confirmed it")
        for row in flow.audit_rows()["inferred_refunds"]:
            self.stdout.write(INFERRED.format(**row))
        sizes = (
            count(sum(1 for _ in rows), name.removesuffix("s").replace("_", " "))
            for name, rows in flow.audit_rows().items()
        )
        result = self.style.SUCCESS("Everything agrees") if ok else self.style.ERROR("Not everything agrees")
        self.stdout.write(f"{result}: {', '.join(sizes)}.")
        return ok
