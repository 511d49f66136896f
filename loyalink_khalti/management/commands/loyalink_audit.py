"""``loyalink_audit``: do Khalti's money, the shop's orders and the points agree?"""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from loyalink_khalti.flow.audit import audit
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
        report = audit()
        if options["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False, indent=2))
        else:
            self._tell(report)
        if not report["ok"]:
            sys.exit(1)

    def _tell(self, report: dict[str, Any]) -> None:
        for violation in report["violations"]:
            self.stdout.write(self.style.ERROR("{invariant} {subject}: {detail}".format(**violation)))
        sizes = ", ".join(f"{len(report[name])} {name}" for name in ("payments", "orders", "accounts"))
        word = self.style.SUCCESS("Everything agrees") if report["ok"] else self.style.ERROR("Something is wrong")
        self.stdout.write(f"{word}: {sizes}.")
