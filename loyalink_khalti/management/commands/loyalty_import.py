"""``loyalty_import``: opening balances from a CSV file, all rows or none."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from loyalink_khalti.errors import LedgerError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.management import balance_file, naming
from loyalink_khalti.management.progress import count, with_progress

MOST_POINTS = 1_000_000


class Command(BaseCommand):
    help = (
        "Give members points from a CSV file with the columns member (e-mail address or pk), points and, optionally, "
        "expires (the last valid day, 2027-03-31) and note. All rows or none; the same file again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")
        parser.add_argument(
            "--most", type=int, default=MOST_POINTS, help="refuse rows with more points than this (%(default)s)"
        )
        parser.add_argument("--actor", help="who imports: e-mail address or pk")
        naming.add_site(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        balances = self._read(options["file"], most=options["most"])
        site_key = naming.site(options["site"])
        actor = naming.member(options["actor"]) if options["actor"] else None
        source = {"site_key": site_key, "digest": balances.digest}
        total = len(balances.rows)
        try:
            with transaction.atomic():
                before = ledger.count_imported(**source)
                rows = ledger.import_points(balances.rows, actor=actor, **source)
                for _row in with_progress(rows, total=total, stream=self.stderr, label="rows"):
                    pass
                done = ledger.count_imported(**source) - before
                transaction.set_rollback(options["dry_run"])
        except LedgerError as exc:
            raise CommandError(f"{exc}. Nothing was imported.") from exc
        points = sum(row.points for row in balances.rows)
        earlier = f"; {total - done} had been imported before" if done < total else ""
        verb = "would be imported" if options["dry_run"] else "imported"
        in_file = f"{count(points, 'point')} in the file"
        self.stdout.write(f"{done} of {count(total, 'row')} ({in_file}) {verb}{earlier}.")

    def _read(self, path: Path, *, most: int) -> balance_file.BalanceFile:
        try:
            balances = balance_file.read(path, most=most)
        except OSError as exc:
            raise CommandError(f"{path} cannot be read: {exc.strerror}.") from exc
        except balance_file.UnreadableFile as exc:
            raise CommandError(f"{exc}. Nothing was imported.") from exc
        for error in balances.errors:
            self.stderr.write(error)
        if balances.errors:
            raise CommandError(f"{count(len(balances.errors), 'error')}. Nothing was imported.")
        if not balances.rows:
            raise CommandError("The file has no rows.")
        return balances
