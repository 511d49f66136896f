"""``loyalty VERB``: what staff do with one member's points, and what a payer may ask of their data."""

from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from loyalink_khalti.errors import CannotErase, LedgerError
from loyalink_khalti.flow import payers
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.management import naming
from loyalink_khalti.management.commands.loyalty_import import MOST
from loyalink_khalti.staff.told import as_json


class Command(BaseCommand):
    help = "Look after one member's points. A member is named by e-mail address or by the user's pk."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

        person = verbs.add_parser("person", help="print all that is kept about a member or a guest, as JSON")
        person.set_defaults(work=self._person, commits=True)
        erase = verbs.add_parser("erase", help="forget who bought and whose account it is; the numbers stay")
        erase.set_defaults(work=self._erase, commits=True)
        for verb in (person, erase):
            verb.add_argument("payer", help="a member's e-mail address or pk, or a guest's e-mail address")
            naming.add_site(verb, default=None)

        merge = verbs.add_parser("merge", help="move all points of one member to another")
        merge.set_defaults(work=self._merge)
        merge.add_argument("member", help="whose account ends")
        merge.add_argument("into", help="whose account stays")
        merge.add_argument("--actor", help="who does this: e-mail address or pk")
        naming.add_site(merge)

        freeze = verbs.add_parser("freeze", help="let no points of a member be spent; what is earned still comes")
        freeze.set_defaults(work=self._freeze)
        freeze.add_argument("member")
        freeze.add_argument("--thaw", action="store_true", help="let them be spent again")
        naming.add_site(freeze)

        self._add_adjust(verbs.add_parser("adjust", help="add points, or take some (-50)"))

    def _add_adjust(self, adjust: ArgumentParser) -> None:
        adjust.set_defaults(work=self._adjust)
        adjust.add_argument("member")
        adjust.add_argument("points", type=int, help="a whole number; below 0 takes points, never more than there are")
        adjust.add_argument("--reason", required=True, help="a short code: goodwill, correction, …")
        adjust.add_argument("--note", default="", help="words for staff, erased with the person")
        adjust.add_argument("--actor", help="who does this: e-mail address or pk")
        adjust.add_argument("--key", help="a name for this adjustment, so that a second try changes nothing")
        naming.add_site(adjust)

    def handle(self, *args: Any, **options: Any) -> None:
        work: Callable[[dict[str, Any]], str] = options["work"]
        if options["site"] is not None:
            naming.site(options["site"])
        try:
            with nullcontext() if options.get("commits") else transaction.atomic():
                words = work(options)
        except LedgerError as exc:
            raise CommandError(f"{exc}. Nothing was changed.") from exc
        except CannotErase as exc:
            raise CommandError(f"{options['payer']} cannot be erased yet: {exc}.") from exc
        self.stdout.write(words)

    def _person(self, options: dict[str, Any]) -> str:
        """Write JSON purchase by purchase, as they are read."""
        head, purchases = payers.told_of(naming.payer(options["payer"]), site_key=options["site"])
        for part in as_json(head, purchases):
            self.stdout.write(part, ending="")
        return ""

    def _erase(self, options: dict[str, Any]) -> str:
        erased = payers.erase(naming.payer(options["payer"]), site_key=options["site"])
        return (
            f"{erased.accounts} account(s) and {erased.purchases} purchase(s) of {options['payer']} are nobody's now; "
            "the shop's own orders are untouched."
        )

    def _merge(self, options: dict[str, Any]) -> str:
        account = ledger.merge(
            site_key=options["site"],
            member_id=naming.member(options["member"]),
            into=naming.member(options["into"]),
            actor=_actor(options),
        )
        return f"{options['into']} has {account.available} points now; the account of {options['member']} has ended."

    def _freeze(self, options: dict[str, Any]) -> str:
        ledger.freeze(site_key=options["site"], member_id=naming.member(options["member"]), frozen=not options["thaw"])
        return f"The points of {options['member']} " + ("can be spent." if options["thaw"] else "are frozen.")

    def _adjust(self, options: dict[str, Any]) -> str:
        points = options["points"]
        if not points or abs(points) > MOST:
            raise CommandError(f"Points are adjusted by 1 to {MOST}, up or down.")
        if len(options["reason"]) > 40:
            raise CommandError("A reason is a short code, of 40 letters at most; --note has room for more.")
        member_id = naming.member(options["member"])
        ledger.adjust(
            site_key=options["site"],
            member_id=member_id,
            points=points,
            key=options["key"] or f"command:{uuid4().hex}",
            reason=options["reason"],
            note=options["note"],
            actor=_actor(options),
        )
        account = ledger.find(options["site"], member_id)
        return f"{options['member']} has {account.available if account else 0} points now."


def _actor(options: dict[str, Any]) -> str | None:
    return naming.member(options["actor"]) if options["actor"] else None
