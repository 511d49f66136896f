"""``loyalty_export``: the members and their points as CSV, written row by row."""

import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from loyalink_khalti import flow
from loyalink_khalti.management import naming
from loyalink_khalti.management.progress import count
from loyalink_khalti.staff.spreadsheet import safe_cell

EXPORT_COLUMNS = ("member", "available", "pending", "held", "owed", "earned", "redeemed", "tier", "blocked")


class Command(BaseCommand):
    help = "Write the points of every member as CSV (UTF-8) to the screen, or to a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, help="a file instead of the screen; with a byte order mark for Excel")
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
        self.stderr.write(f"{count(number, 'member')} written to {options['out']}")

    def _write(self, file: Any, site_key: str) -> int:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(EXPORT_COLUMNS)
        number = 0
        for each in flow.member_accounts(site_key=site_key, members_only=True):
            account = each.account
            number += 1
            table.writerow(
                [
                    safe_cell(each.member),
                    account.available,
                    account.pending,
                    account.held,
                    account.owed,
                    account.earned_in_all,
                    account.redeemed_in_all,
                    safe_cell(each.tier),
                    "yes" if account.blocked else "no",
                ]
            )
        return number
