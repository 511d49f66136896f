"""The payments of an order at Khalti, as its page in a back office lists them, with links to the desk."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch

from loyalink_khalti import conf
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.payments.states import FlagReason

from .labels import StatusLabel, payment_status
from .links import payment_url
from .permissions import VIEW_PAYMENTS, has_permission


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLink:
    """A payment of an order with its page in Wagtail."""

    payment: Payment
    page: str
    """Its path, "" if there is no such page, or this user may not open it."""
    flags: tuple[tuple[int, str], ...]
    """The number and the reason of each open Flag."""
    is_test: bool
    """Whether it went to another server than Khalti's live one: no money moves."""

    @property
    def status(self) -> StatusLabel:
        return payment_status(self.payment)


def payment_links(purchase: Purchase | None, user: Any) -> list[PaymentLink]:
    """Return the payments of an order, newest first, for the shop's staff."""
    if purchase is None:
        return []
    open_flags = Prefetch("flags", Flag.objects.filter(resolved_at=None).order_by("pk"), to_attr="open_flags")
    payments: Any = purchase.payments.select_related("credentials").prefetch_related(open_flags).order_by("-pk")
    may_open = has_permission(user, VIEW_PAYMENTS)
    return [
        PaymentLink(
            payment=payment,
            page=payment_url(payment.pk) if may_open else "",
            flags=tuple((flag.pk, str(REASONS[FlagReason(flag.reason)])) for flag in payment.open_flags),
            is_test=payment.credentials.base_url != conf.SERVERS[conf.LIVE],
        )
        for payment in payments
    ]
