"""``loyalty_import``: opening balances from a CSV file, all rows or none."""

import re
import unicodedata
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import LedgerError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.management import balance_file, naming
from loyalink_khalti.management.progress import count, with_progress
from loyalink_khalti.nepal import day_of
from loyalink_khalti.staff import points_table

MOST_POINTS = points_table.MOST_POINTS
TODAY = "today"
"""``--again`` without a name: once more for the rows of this day in Nepal."""
_NAME = re.compile(r"[^\s:]{1,40}")


class Command(BaseCommand):
    help = (
        "Give members points from a CSV file with the columns member (e-mail address or pk), points and, optionally, "
        "expires (the last valid day, 2027-03-31) and note. All rows or none. A row that was imported before is "
        "listed and skipped, in whatever file it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")
        parser.add_argument(
            "--most", type=int, default=MOST_POINTS, help="refuse rows with more points than this (%(default)s)"
        )
        parser.add_argument(
            "--batch",
            default=ledger.DEFAULT_BATCH,
            metavar="NAME",
            help="what these balances are (%(default)s); the same row in another batch is another row",
        )
        parser.add_argument(
            "--again",
            nargs="?",
            const=TODAY,
            default="",
            metavar="NAME",
            help="add the rows once more although they were imported before; the same NAME (by default today's date) "
            "again changes nothing",
        )
        naming.add_actor(parser)
        naming.add_site(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        balances = self._read(options["file"], most=options["most"])
        site_key = naming.site(options["site"])
        actor = naming.staff(options["actor"])
        source = {
            "site_key": site_key,
            "digest": balances.digest,
            "batch": _name("--batch", options["batch"]),
            "again": _again(options["again"]),
        }
        total, done = len(balances.rows), 0
        lines: list[tuple[int, str]] = []
        try:
            with transaction.atomic():
                flow.forbid_self_dealing(
                    actor, flow.StaffAction.IMPORT, members=[row.member_id for row in balances.rows]
                )
                rows = ledger.import_points(balances.rows, actor=actor, **source)
                for each in with_progress(rows, total=total, stream=self.stderr, label="rows"):
                    done += each.is_new
                    if notice := _notice(each):
                        lines.append((each.row.number, f"{balances.names[each.row.number]}: {notice}"))
                transaction.set_rollback(options["dry_run"])
        except LedgerError as exc:
            raise CommandError(f"{exc}. Nothing was imported.") from exc
        for _number, line in sorted(lines):
            self.stdout.write(line)
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


def _notice(imported: ledger.ImportedRow) -> str:
    """What staff should know about a row; "" where there is nothing."""
    if not imported.is_new:
        return "imported before, skipped; --again adds it once more"
    if imported.has_others:
        return "added to the points that another row of this batch has given this member"
    return ""


def _again(name: Any) -> str:
    if not name:
        return ""
    return day_of(timezone.now()).isoformat() if name in (TODAY, True) else _name("--again", name)


def _name(option: str, text: str) -> str:
    name = unicodedata.normalize("NFKC", str(text)).strip().casefold()
    if not _NAME.fullmatch(name):
        raise CommandError(
            f"{option} {text!r}: use 1 to 40 characters without spaces and colons. Nothing was imported."
        )
    return name
