"""``khalti_flags``: list the payments to review, resolve a flag, and answer a resolved one again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, CannotResolve
from loyalink_khalti.management import naming
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.nepal import KATHMANDU
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Flag
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.payments.without_order import flags_to_review
from loyalink_khalti.staff.consequences import consequences
from loyalink_khalti.staff.labels import RESOLUTIONS, evidence_value


class Command(BaseCommand):
    help = (
        "List the payments to review; with the number of a flag and a resolution, resolve that flag or, with --again, "
        "answer a resolved one again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        meanings = "; ".join(f"{name}: {str(label).rstrip('.')}" for name, label in RESOLUTIONS.items())
        parser.add_argument("flag", nargs="?", type=int, help="the number of a flag in the list")
        parser.add_argument("resolution", nargs="?", choices=[each.value for each in RESOLUTIONS], help=meanings)
        parser.add_argument("--actor", help="who resolves it: e-mail address or pk of a member of staff")
        parser.add_argument("--reason", default="", help="a sentence that is kept with the resolution")
        parser.add_argument(
            "--rupees", type=naming.rupees, default=Paisa(0), help="the amount, for record_refund and record_paid"
        )
        parser.add_argument("--transaction", default="", help="the transaction ID at Khalti, for record_paid")
        parser.add_argument(
            "--yes", action="store_true", help="for record_paid and record_unpaid: without it, say what they do"
        )
        parser.add_argument("--shipping", type=naming.rupees, default=Paisa(0), help="how much of it was for delivery")
        parser.add_argument(
            "--again", action="store_true", help="answer a resolved flag again; the earlier answer is kept"
        )
        parser.add_argument(
            "--mobile", type=naming.mobile, default="", help="the customer's Khalti number, if Khalti asked for one"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["flag"] is None:
            self._list()
            return
        flag = Flag.objects.select_related("payment__purchase").filter(pk=options["flag"]).first()
        if flag is None:
            raise CommandError(f"There is no flag {options['flag']}.")
        if options["resolution"] is None:
            self._show(flag)
            return
        if not options["actor"]:
            raise CommandError("--actor is required: the name is kept with the resolution.")
        if options["resolution"] in flow.RECORDED and not options["yes"]:
            for sentence in consequences(flow.Resolution(options["resolution"]), flag, amount=options["rupees"]):
                self.stdout.write(sentence)
            self.stdout.write("Nothing was recorded. With --yes it is.")
            return
        self._resolve(flag, options)

    def _list(self) -> None:
        flags = flags_to_review().select_related("payment__purchase").order_by("pk")
        for flag in flags.iterator(chunk_size=500):
            self._show(flag)
        if not flags.exists():
            self.stdout.write("No payments to review.")

    def _show(self, flag: Flag) -> None:
        payment, resolutions = flag.payment, flow.resolution_options(flag)
        self.stdout.write(f"#{flag.pk} {payment.purchase_order_id}, {npr(Paisa(payment.amount))}, {payment.state}")
        raised = timezone.localtime(flag.raised_at, KATHMANDU)
        times = f" ({flag.count} times)" if flag.count > 1 else ""
        self.stdout.write(f"    {raised:%Y-%m-%d %H:%M %Z} {REASONS[FlagReason(flag.reason)]}{times}")
        evidence = (f"{name}={evidence_value(name, value)}" for name, value in flag.evidence.items())
        self.stdout.write(f"    {', '.join(evidence)}")
        if flag.resolved_at is not None:
            actor = f"by {naming.address(flag.actor)}" if flag.actor else "automatically"
            self.stdout.write(f"    {flag.resolution}, {actor}: {flag.note}")
        if resolutions:
            again = " (with --again)" if flag.resolved_at is not None else ""
            self.stdout.write(f"    options{again}: {', '.join(resolutions)}")
        elif flag.resolved_at is None:
            self.stdout.write("    waiting for an unfinished refund; khalti_reconcile tries again")

    def _resolve(self, flag: Flag, options: dict[str, Any]) -> None:
        if not options["again"]:
            flag.resolved_at = None  # then a resolved flag is refused
        elif flag.resolved_at is None:
            raise CommandError(f"Flag {flag.pk} is open. Resolve it without --again. Nothing was changed.")
        try:
            resolved = flow.resolve_flag(
                flag,
                flow.Resolution(options["resolution"]),
                actor=naming.staff(options["actor"]),
                reason=options["reason"],
                amount=options["rupees"],
                shipping=options["shipping"],
                transaction_id=options["transaction"],
                mobile=options["mobile"],
            )
        except (CannotResolve, CannotRefund) as exc:
            raise CommandError(f"{str(exc).rstrip('.')}. Nothing was changed.") from exc
        if options["resolution"] == flow.Resolution.REOPEN:
            self.stdout.write(f"#{resolved.pk} is open again.")
            return
        if resolved.resolved_at is None:
            refund = resolved.payment.refunds.order_by("-pk").first()
            state = f"{refund.state}: {refund.khalti_message.rstrip('.')}" if refund else "not started"
            raise CommandError(f"The refund is {state}. The flag stays open.")
        resolved.payment.refresh_from_db()
        self.stdout.write(
            f"#{resolved.pk} is resolved: {resolved.resolution}. The payment is {resolved.payment.state}."
        )
