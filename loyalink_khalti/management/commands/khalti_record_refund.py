"""``khalti_record_refund``: record a refund that was made in Khalti's dashboard."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.management import naming
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.staff.consequences import recorded_refund, reversed_refund
from loyalink_khalti.staff.refund_form import new_key


class Command(BaseCommand):
    help = (
        "Record a refund that was made in Khalti's dashboard: order and points follow, and no money moves. Khalti "
        "reports no second partial refund, so nothing finds one that is not recorded. Without --yes it only says what "
        "it would do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("payment", help="its order id at Khalti, pidx, transaction id or pk")
        parser.add_argument("--rupees", type=naming.rupees, default=Paisa(0), help="the refunded amount")
        parser.add_argument("--not-made", type=int, help="instead: the number of a recorded refund that was not made")
        parser.add_argument("--shipping", type=naming.rupees, default=Paisa(0), help="how much of it was for delivery")
        parser.add_argument("--on", type=_day, help="the day of the refund in Nepal, 2026-02-17 (default: today)")
        parser.add_argument("--actor", required=True, help="who records it: e-mail address or pk of a member of staff")
        parser.add_argument("--reason", required=True, help="a sentence that is kept with the refund")
        parser.add_argument("--yes", action="store_true", help="record it")

    def handle(self, *args: Any, **options: Any) -> None:
        payment = naming.payment(options["payment"])
        actor, made_on = naming.staff(options["actor"]), options["on"] or day_of(timezone.now())
        amount, shipping = options["rupees"], options["shipping"]
        if options["not_made"] is not None:
            self._take_back(payment, options, actor=actor)
            return
        seen_refund = refunds.newest_pk(payment.purchase)
        try:
            flow.check_refund_day(payment, made_on)
            for sentence in recorded_refund(payment, amount=amount, shipping=shipping):
                self.stdout.write(sentence)
            if not options["yes"]:
                self.stdout.write("Nothing was changed: add --yes.")
                return
            flow.record_refund(
                payment, amount=amount, shipping=shipping, made_on=made_on, reason=options["reason"], actor=actor,
                key=f"record:{payment.pk}:{new_key()}", seen_refund=seen_refund,
            )  # fmt: skip
        except CannotRefund as exc:
            raise CommandError(f"{str(exc).rstrip('.')}. Nothing was changed.") from exc
        payment = Payment.objects.get(pk=payment.pk)
        refunded = f"{npr(Paisa(payment.refunded))} of {npr(Paisa(payment.captured or 0))}"
        self.stdout.write(f"Recorded. The payment is {payment.state}: {refunded} are refunded.")

    def _take_back(self, payment: Payment, options: dict[str, Any], *, actor: str) -> None:
        refund = payment.refunds.select_related("purchase", "payment").filter(pk=options["not_made"]).first()
        if refund is None:
            numbers = ", ".join(str(each.pk) for each in payment.refunds.order_by("pk")) or "none"
            raise CommandError(f"This payment has no refund {options['not_made']}. It has: {numbers}.")
        for sentence in reversed_refund(refund):
            self.stdout.write(sentence)
        if not options["yes"]:
            self.stdout.write("Nothing was changed: add --yes.")
            return
        try:
            flow.reverse_refund(refund, actor=actor, reason=options["reason"])
        except CannotRefund as exc:
            raise CommandError(f"{str(exc).rstrip('.')}. Nothing was changed.") from exc
        self.stdout.write(f"Refund {refund.pk} counts as not made.")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise ArgumentTypeError(f"{text!r} is not a day like 2026-02-17.") from exc
