"""An order's payments as its page in the dashboard tells of them: what waits for a decision, and where to take it."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch

from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.payments.states import Reason
from loyalink_khalti.payments.words import REASONS
from loyalink_khalti.staff.may import VIEW_PAYMENTS, may

from .navigation import page


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLink:
    """A payment; ``page`` is "" where there is none, or this user may not open it."""

    payment: Payment
    page: str
    flags: tuple[tuple[int, str], ...]
    """The number and the words of each Flag that is open."""


def of(purchase: Purchase | None, user: Any) -> list[PaymentLink]:
    """The payments of an order, the newest first, for the shop's staff; a partner's own staff see none."""
    if purchase is None or not user.is_staff:
        return []
    open_flags = Prefetch("flags", Flag.objects.filter(resolved_at=None).order_by("pk"), to_attr="open_flags")
    may_open = may(user, VIEW_PAYMENTS)
    return [
        PaymentLink(
            payment=payment,
            page=page("loyalink_khalti_payment", payment.pk) if may_open else "",
            flags=tuple((flag.pk, str(REASONS[Reason(flag.reason)])) for flag in payment.open_flags),
        )
        for payment in purchase.payments.prefetch_related(open_flags).order_by("-pk")
    ]
