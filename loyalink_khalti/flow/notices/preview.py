"""What the mail about a refund will say to the customer, for staff who are about to confirm it. Nothing is written."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils import translation

from loyalink_khalti import conf
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.states import RefundKind

from .contents import refund_notice
from .kinds import MailKind
from .recipients import buyer_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundMail:
    """The e-mail that follows a refund: to whom, and its first sentences, in the customer's language."""

    to: str
    """"" where the shop knows no address."""
    subject: str
    text: str
    is_off: bool
    """Whether the shop has switched this mail off."""


def preview_refund_mail(
    purchase: Purchase,
    *,
    amount: Paisa,
    lines: Iterable[tuple[str, int]] = (),
    restored: Points = Points(0),
    clawed_back: Points = Points(0),
    is_at_khalti: bool,
) -> RefundMail:
    """Return the mail that a refund of ``amount`` paisa with these lines (``Line.key``, quantity) will cause."""
    payment = refunds.settling_payment(list(purchase.payments.all())) if is_at_khalti else None
    row = Refund(
        purchase=purchase, payment=payment, kind=RefundKind.ORDER, amount=amount, points_restored=restored,
        points_clawed_back=clawed_back, lines=[[key, number, False] for key, number in lines],
    )  # fmt: skip
    recipient = buyer_of(purchase)
    with translation.override(recipient.language):
        context = {
            "refund": refund_notice(row, purchase),
            "receipt": {"number": purchase.number or purchase.ref},
        }
        subject, text = (
            " ".join(render_to_string(f"loyalink_khalti/mail/{name}.txt", context).split())
            for name in ("order_refunded_subject", "refund_text")
        )
    return RefundMail(
        to=recipient.address, subject=subject, text=text,
        is_off=MailKind.ORDER_REFUNDED in conf.shop_details(purchase.site_key).mails_off,
    )  # fmt: skip
