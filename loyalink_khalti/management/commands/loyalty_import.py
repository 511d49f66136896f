"""``loyalty_import``: opening balances from a CSV file, all of them or none."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from loyalink_khalti.errors import LedgerError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.management import naming, sheet
from loyalink_khalti.management.progress import shown

MOST = 1_000_000


class Command(BaseCommand):
    help = (
        "Give members points from a CSV file with the columns member (e-mail address or pk), points and, if you like, "
        "expires (the last valid day, 2027-03-31) and note. All rows or none; the same file again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
        parser.add_argument("--most", type=int, default=MOST, help="more points in one row are a typo (%(default)s)")
        parser.add_argument("--actor", help="who is importing: e-mail address or pk")
        naming.add_site(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        read = self._read(options["file"], most=options["most"])
        site_key = naming.site(options["site"])
        actor = naming.member(options["actor"]) if options["actor"] else None
        words = {"site_key": site_key, "digest": read.digest}
        try:
            with transaction.atomic():
                before = ledger.imported(**words)
                rows = ledger.import_points(read.rows, actor=actor, **words)
                for _row in shown(rows, total=len(read.rows), stream=self.stderr, what="rows"):
                    pass
                done = ledger.imported(**words) - before
                transaction.set_rollback(options["dry_run"])
        except LedgerError as exc:
            raise CommandError(f"{exc}. Nothing was imported.") from exc
        points = sum(row.points for row in read.rows)
        earlier = f"; {len(read.rows) - done} had been imported before" if done < len(read.rows) else ""
        verb = "would be imported" if options["dry_run"] else "imported"
        self.stdout.write(f"{done} of {len(read.rows)} rows ({points} points in the file) {verb}{earlier}.")

    def _read(self, path: Path, *, most: int) -> sheet.Sheet:
        try:
            read = sheet.read(path, most=most)
        except OSError as exc:
            raise CommandError(f"{path} cannot be read: {exc.strerror}.") from exc
        except sheet.Unreadable as exc:
            raise CommandError(f"{exc}. Nothing was imported.") from exc
        for fault in read.faults:
            self.stderr.write(fault)
        if read.faults:
            raise CommandError(f"{len(read.faults)} fault(s). Nothing was imported.")
        if not read.rows:
            raise CommandError("The file has no rows.")
        return read
