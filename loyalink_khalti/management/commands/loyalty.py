"""``loyalty VERB``: the points of one member, and the personal data of one customer."""

from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotEraseData, LedgerError
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.management import naming
from loyalink_khalti.management.commands.loyalty_import import MOST_POINTS
from loyalink_khalti.management.progress import count
from loyalink_khalti.staff.choices import BlockReason
from loyalink_khalti.staff.data_export import stream_json


class Command(BaseCommand):
    help = "Manage the points of one member. Name a member by e-mail address or by the user's pk."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

        export = verbs.add_parser("export-data", help="print all personal data of a member or a guest, as JSON")
        export.set_defaults(work=self._export_data, commits=True)
        erase = verbs.add_parser("erase", help="erase the personal data of a member or a guest; amounts stay")
        erase.set_defaults(work=self._erase, commits=True)
        for verb in (export, erase):
            verb.add_argument("customer", help="a member's e-mail address or pk, or a guest's e-mail address")
            verb.add_argument(
                "--guest",
                action="store_true",
                help="what guests bought with this address, although an account has it too; first make sure that "
                "it is the same person",
            )
            naming.add_site(verb, default=None)

        merge = verbs.add_parser("merge", help="move all points of one member to another")
        merge.set_defaults(work=self._merge)
        merge.add_argument("member", help="whose account ends")
        merge.add_argument("into", help="whose account gets the points")

        block = verbs.add_parser("block", help="stop a member from using points; they still earn points")
        block.set_defaults(work=self._block)
        block.add_argument(
            "--reason", choices=[code for code in BlockReason.values if code != BlockReason.CLEARED], default="",
            help="what the member reads on the points card",
        )  # fmt: skip
        unblock = verbs.add_parser("unblock", help="let a blocked member use points again")
        unblock.set_defaults(work=self._unblock)
        for verb in (block, unblock):
            verb.add_argument("member")
        for verb in (merge, block, unblock):
            naming.add_actor(verb)
            naming.add_site(verb)

        self._add_adjust(verbs.add_parser("adjust", help="add points, or deduct points (-50)"))

    def _add_adjust(self, adjust: ArgumentParser) -> None:
        adjust.set_defaults(work=self._adjust)
        adjust.add_argument("member")
        adjust.add_argument("points", type=int, help="a whole number; a negative one deducts points")
        adjust.add_argument("--reason", required=True, help="a short code: goodwill, correction, …")
        adjust.add_argument("--note", default="", help="a note for staff, erased with the member's personal data")
        naming.add_actor(adjust)
        adjust.add_argument("--key", help="a name for this adjustment; a second one of that name changes nothing")
        naming.add_site(adjust)

    def handle(self, *args: Any, **options: Any) -> None:
        work: Callable[[dict[str, Any]], str] = options["work"]
        if options["site"] is not None:
            options["site"] = naming.site(options["site"])
        try:
            with nullcontext() if options.get("commits") else transaction.atomic():
                message = work(options)
        except LedgerError as exc:
            raise CommandError(f"{str(exc).rstrip('.')}. Nothing was changed.") from exc
        except CannotEraseData as exc:
            raise CommandError(f"{options['customer']} cannot be erased yet: {exc}.") from exc
        self.stdout.write(message)

    def _export_data(self, options: dict[str, Any]) -> str:
        """Write JSON, purchase by purchase as they are read."""
        customer = _customer(options)
        head, purchases = flow.export_personal_data(customer, site_key=options["site"])
        for part in stream_json(head, purchases):
            self.stdout.write(part, ending="")
        return ""

    def _erase(self, options: dict[str, Any]) -> str:
        erased = flow.erase_personal_data(_customer(options), site_key=options["site"])
        return (
            f"Erased the personal data of {options['customer']} from {count(erased.accounts, 'account')} and "
            f"{count(erased.purchases, 'purchase')}; the shop's own orders are unchanged."
        )

    def _merge(self, options: dict[str, Any]) -> str:
        account, into = _account(options), _account(options, "into")
        flow.merge_members(account, into=into, actor=naming.staff(options["actor"]), may_exceed_limit=True)
        into.refresh_from_db()
        points = count(into.available, "point")
        return f"{options['into']} has {points} now; the account of {options['member']} has ended."

    def _block(self, options: dict[str, Any]) -> str:
        flow.set_blocked(
            _account(options), blocked=True, actor=naming.staff(options["actor"]), reason=options["reason"]
        )  # fmt: skip
        return f"The points of {options['member']} are blocked."

    def _unblock(self, options: dict[str, Any]) -> str:
        flow.set_blocked(_account(options), blocked=False, actor=naming.staff(options["actor"]))
        return f"The points of {options['member']} are not blocked any more."

    def _adjust(self, options: dict[str, Any]) -> str:
        points = options["points"]
        if not points or abs(points) > MOST_POINTS:
            raise CommandError(f"Add or deduct 1 to {MOST_POINTS} points.")
        if len(options["reason"]) > 40:
            raise CommandError("A reason is a short code of 40 characters at most; use --note for more.")
        account = _account(options)
        flow.adjust_points(
            account,
            points,
            key=options["key"] or f"command:{uuid4().hex}",
            reason=options["reason"],
            note=options["note"],
            actor=naming.staff(options["actor"]),
            may_exceed_limit=True,  # the owner of the server runs the commands
        )
        account.refresh_from_db()
        return f"{options['member']} has {count(account.available, 'point')} now."


def _customer(options: dict[str, Any]) -> flow.DataSubject:
    return (naming.guest if options["guest"] else naming.customer)(options["customer"])


def _account(options: dict[str, Any], name: str = "member") -> Account:
    return flow.own_account(site_key=options["site"], member_id=naming.member(options[name]))
