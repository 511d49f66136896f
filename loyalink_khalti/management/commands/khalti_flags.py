"""``khalti_flags``: the payments that wait for somebody to decide, and the decision."""

from argparse import ArgumentParser, ArgumentTypeError
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotDecide, CannotRefund
from loyalink_khalti.management import naming
from loyalink_khalti.money import Paisa, npr, paisa
from loyalink_khalti.payments.models import Flag
from loyalink_khalti.payments.states import Reason
from loyalink_khalti.payments.words import REASONS
from loyalink_khalti.staff.words import DECISIONS, figure


class Command(BaseCommand):
    help = "List the payments that wait for a decision; with a number and a decision, decide."

    def add_arguments(self, parser: ArgumentParser) -> None:
        told = "; ".join(f"{decision}: {str(words).rstrip('.')}" for decision, words in DECISIONS.items())
        parser.add_argument("flag", nargs="?", type=int, help="the number of a flag, from the list")
        parser.add_argument("decision", nargs="?", choices=[each.value for each in DECISIONS], help=told)
        parser.add_argument("--actor", help="who decides: e-mail address or pk")
        parser.add_argument("--reason", default="", help="why, in a sentence that is kept")
        parser.add_argument("--rupees", type=_rupees, default=Paisa(0), help="how much was given back, for amount")
        parser.add_argument("--shipping", type=_rupees, default=Paisa(0), help="how much of it was for delivery")
        parser.add_argument("--mobile", default="", help="the customer's Khalti number, for what was paid by bank")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["flag"] is None:
            self._list()
            return
        flag = Flag.objects.select_related("payment__purchase").filter(pk=options["flag"]).first()
        if flag is None:
            raise CommandError(f"There is no flag {options['flag']}.")
        if options["decision"] is None:
            self._show(flag)
            return
        if not options["actor"]:
            raise CommandError("Say who decides with --actor; it is written down.")
        self._decide(flag, options)

    def _list(self) -> None:
        flags = Flag.objects.filter(resolved_at=None).select_related("payment__purchase").order_by("pk")
        for flag in flags.iterator(chunk_size=500):
            self._show(flag)
        if not flags.exists():
            self.stdout.write("Nothing waits for a decision.")

    def _show(self, flag: Flag) -> None:
        payment, choices = flag.payment, flow.choices(flag)
        self.stdout.write(f"#{flag.pk} {payment.purchase_order_id}, {npr(Paisa(payment.amount))}, {payment.state}")
        raised = timezone.localtime(flag.raised_at)
        self.stdout.write(f"    {raised:%Y-%m-%d %H:%M %Z} {REASONS[Reason(flag.reason)]}")
        self.stdout.write(f"    {', '.join(f'{name}={figure(name, value)}' for name, value in flag.evidence.items())}")
        if flag.resolved_at is not None:
            who = naming.address(flag.actor) if flag.actor else "itself"
            self.stdout.write(f"    {flag.resolution}, by {who}: {flag.note}")
        elif choices:
            self.stdout.write(f"    to decide: {', '.join(choices)}")
        else:
            self.stdout.write("    waits for a refund that is not finished; khalti_reconcile tries again")

    def _decide(self, flag: Flag, options: dict[str, Any]) -> None:
        try:
            decided = flow.decide(
                flag,
                flow.Decision(options["decision"]),
                by=naming.staff(options["actor"]),
                reason=options["reason"],
                cash=options["rupees"],
                shipping=options["shipping"],
                mobile=options["mobile"],
            )
        except (CannotDecide, CannotRefund) as exc:
            raise CommandError(f"{str(exc).rstrip('.')}. Nothing was changed.") from exc
        if decided.resolved_at is None:
            refund = decided.payment.refunds.order_by("-pk").first()
            state = f"{refund.state}: {refund.words.rstrip('.')}" if refund else "not begun"
            raise CommandError(f"The refund is {state}. The flag stays open.")
        decided.payment.refresh_from_db()
        self.stdout.write(f"#{decided.pk} is decided: {decided.resolution}. The payment is {decided.payment.state}.")


def _rupees(text: str) -> Paisa:
    try:
        return paisa(Decimal(text))
    except (InvalidOperation, ValueError) as exc:
        raise ArgumentTypeError(f"{text!r} is not an amount in rupees like 250 or 99.50.") from exc
