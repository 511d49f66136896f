"""``loyalty_export``: the members and their points as CSV, written while it is read."""

import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from loyalink_khalti.flow import people
from loyalink_khalti.management import naming
from loyalink_khalti.staff.cells import safe

COLUMNS = ("member", "available", "pending", "held", "owed", "earned", "spent", "tier", "frozen")


class Command(BaseCommand):
    help = "Write every member's points as CSV (UTF-8) to the screen, or to a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--out", type=Path, help="a file, in place of the screen; with a byte order mark for Excel"
        )
        naming.add_site(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        site_key = naming.site(options["site"])
        if options["out"] is None:
            self._write(self.stdout, site_key)
            return
        try:
            with options["out"].open("w", encoding="utf-8-sig", newline="") as file:
                number = self._write(file, site_key)
        except OSError as exc:
            raise CommandError(f"{options['out']} cannot be written: {exc.strerror}.") from exc
        self.stderr.write(f"{number} member(s) written to {options['out']}")

    def _write(self, file: Any, site_key: str) -> int:
        members = people.standings(site_key=site_key, members_only=True)
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        number = 0
        for standing in members:
            account = standing.account
            number += 1
            table.writerow(
                [
                    safe(standing.member),
                    account.available,
                    account.pending,
                    account.held,
                    account.owed,
                    account.lifetime_earned + account.inherited,
                    account.lifetime_redeemed,
                    safe(standing.tier),
                    "yes" if account.frozen else "no",
                ]
            )
        return number
