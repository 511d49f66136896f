"""``loyalink_audit``: do Khalti's money, the shop's orders and the points agree?"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from loyalink_khalti.flow import audit
from loyalink_khalti.loyalty import books


class Command(BaseCommand):
    help = "Check every invariant that the database can show; exit with 1 when one is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print everything as JSON")
        parser.add_argument("--repair", action="store_true", help="first rebuild cached balances from the entries")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["repair"]:
            mended = books.repair()
            self.stderr.write(f"{mended} account(s) rebuilt from their entries")
        ok = self._print_all() if options["json"] else self._tell()
        if not ok:
            sys.exit(1)

    def _print_all(self) -> bool:
        """Write one JSON object, row by row as it is read, its ``ok`` last."""
        self.stdout.write("{", ending="")
        broken = self._print("violations", (asdict(violation) for violation in audit.violations()))
        for name, rows in audit.told_of().items():
            self._print(name, rows)
        self.stdout.write(f'\n  "ok": {json.dumps(not broken)}\n}}')
        return not broken

    def _print(self, name: str, rows: Iterator[dict[str, Any]]) -> int:
        number = 0
        self.stdout.write(f'\n  "{name}": [', ending="")
        for number, row in enumerate(rows, 1):
            comma = "," if number > 1 else ""
            self.stdout.write(f"{comma}\n    {json.dumps(row, ensure_ascii=False)}", ending="")
        self.stdout.write("\n  ]," if number else "],", ending="")
        return number

    def _tell(self) -> bool:
        ok = True
        for found in audit.violations():
            ok = False
            self.stdout.write(self.style.ERROR(f"{found.invariant} {found.subject}: {found.detail}"))
        sizes = ", ".join(f"{sum(1 for _ in rows)} {name}" for name, rows in audit.told_of().items())
        word = self.style.SUCCESS("Everything agrees") if ok else self.style.ERROR("Something is wrong")
        self.stdout.write(f"{word}: {sizes}.")
        return ok
