"""``loyalink_doctor``: examine a deployment, and say what to do."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from loyalink_khalti import flow


class Command(BaseCommand):
    help = (
        "Try what the shop needs: database, migrations, Khalti and the keys for it, clocks, scheduled jobs, cache,"
        " mail and addresses. Nothing is changed and no payment is made. Exits with 1 where there is a problem."
    )
    requires_system_checks: list[str] = []  # they are findings here

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print everything as JSON")
        parser.add_argument("--mail", metavar="ADDRESS", default="", help="also send one mail to this address")

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for finding in _findings(options["mail"]):
            found.append(finding)
            if not options["json"]:
                self._print(finding)
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False))
        if any(finding.severity is flow.Severity.PROBLEM for finding in found):
            sys.exit(1)

    def _print(self, finding: flow.Finding) -> None:
        styles = {flow.Severity.OK: self.style.SUCCESS, flow.Severity.WARNING: self.style.WARNING,
                  flow.Severity.PROBLEM: self.style.ERROR}  # fmt: skip
        self.stdout.write(f"{styles[finding.severity](f'{finding.severity.value:8}')} {finding.topic}: {finding.text}")
        if finding.hint:
            self.stdout.write(f"         → {finding.hint}")


def _findings(address: str) -> Iterator[flow.Finding]:
    yield from flow.diagnose()
    if address:
        yield flow.send_test_mail(address)
