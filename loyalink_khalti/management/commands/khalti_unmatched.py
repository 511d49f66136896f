"""``khalti_unmatched``: list money at Khalti that no payment here is; attach it, refund it, or say whose it is."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, CannotResolve
from loyalink_khalti.management import naming
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.nepal import KATHMANDU
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import RefundState
from loyalink_khalti.payments.unmatched import UnmatchedPayment, UnmatchedState
from loyalink_khalti.staff.consequences import unmatched_consequences

ACTIONS = ("attach", "refund", "not_ours", "reopen")


class Command(BaseCommand):
    help = (
        "List the unmatched payments: money at Khalti that came back to the shop and that no payment here is. With "
        "the number of one and an action, attach it to an order, refund it, or record that it belongs to another "
        "shop with this key. Without --yes it only says what it would do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", nargs="?", type=int, help="the number of an unmatched payment in the list")
        parser.add_argument("action", nargs="?", choices=ACTIONS)
        parser.add_argument("order", nargs="?", help="for attach: the order's number or reference in the shop")
        parser.add_argument("--actor", help="who does this: e-mail address or pk of a member of staff")
        parser.add_argument("--reason", default="", help="a sentence that is kept with it")
        parser.add_argument(
            "--mobile", type=naming.mobile, default="", help="the customer's Khalti number, if Khalti asked for one"
        )
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["number"] is None:
            self._list()
            return
        row = UnmatchedPayment.objects.select_related("returned_to__purchase").filter(pk=options["number"]).first()
        if row is None:
            raise CommandError(f"There is no unmatched payment {options['number']}.")
        if options["action"] is None:
            self._show(row)
            return
        if not options["actor"]:
            raise CommandError("--actor is required: the name is kept with the action.")
        self._act(row, options, actor=naming.staff(options["actor"]))

    def _list(self) -> None:
        rows = UnmatchedPayment.objects.to_review().select_related("returned_to__purchase").order_by("pk")
        for row in rows:
            self._show(row)
        if not rows:
            self.stdout.write("No unmatched payments.")

    def _show(self, row: UnmatchedPayment) -> None:
        seen = timezone.localtime(row.seen_at, KATHMANDU)
        self.stdout.write(f"#{row.pk} {row.pidx}, {npr(Paisa(row.amount or 0))}, {UnmatchedState(row.state).label}")
        self.stdout.write(f"    came back {seen:%Y-%m-%d %H:%M %Z}; Khalti: {row.status or 'no answer yet'}")
        if row.transaction_id:
            self.stdout.write(f"    transaction {row.transaction_id}")
        if row.claimed_order_id:
            self.stdout.write(f"    the browser claims order id {row.claimed_order_id}, which proves nothing")
        if row.returned_to:
            self.stdout.write(f"    it came back to the return address of payment {row.returned_to.purchase_order_id}")
        if row.note:
            self.stdout.write(f"    {naming.address(row.actor or '')}: {row.note}")

    def _act(self, row: UnmatchedPayment, options: dict[str, Any], *, actor: str) -> None:
        action = options["action"]
        purchase = _purchase(options["order"]) if action == "attach" else None
        for sentence in unmatched_consequences(action, row, purchase):
            self.stdout.write(sentence)
        if not options["yes"]:
            self.stdout.write("Nothing was changed: add --yes.")
            return
        why = {"actor": actor, "reason": options["reason"]}
        try:
            if purchase is not None:
                payment = flow.attach_unmatched(row, purchase, **why)
                self.stdout.write(f"Attached. The payment is {payment.state}.")
            elif action == "refund":
                refund = flow.refund_unmatched(row, mobile=options["mobile"], **why)
                if refund.state != RefundState.DONE:
                    raise CommandError(
                        f"The refund is {refund.state}: {refund.khalti_message.rstrip('.')}. Its payment has a flag."
                    )
                self.stdout.write(f"Khalti has refunded {npr(Paisa(refund.amount))}.")
            elif action == UnmatchedState.NOT_OURS:
                flow.dismiss_unmatched(row, **why)
                self.stdout.write("It counts as another shop's.")
            else:
                flow.reopen_unmatched(row, **why)
                self.stdout.write("It is to be reviewed again.")
        except (CannotResolve, CannotRefund) as exc:
            raise CommandError(f"{str(exc).rstrip('.')}. Nothing was changed.") from exc


def _purchase(name: str | None) -> Purchase:
    """Return the only purchase with this number or reference. Raises ``CommandError``."""
    if not name:
        raise CommandError("Name the order: khalti_unmatched 7 attach 100023.")
    found = flow.purchases_named(name)
    if len(found) != 1:
        raise CommandError(f"{'There is no order' if not found else 'There are several orders'} {name!r}.")
    return found[0]
