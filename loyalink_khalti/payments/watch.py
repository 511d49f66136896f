"""Which payments must still be asked about, although nobody comes back for them."""

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from .models import Payment, Purchase
from .states import State

RELEASED_FOR = timedelta(days=7)
"""How long after its link expired a released payment is still asked about: it may have been paid at the last."""


def watched() -> QuerySet[Payment]:
    """Payments that lookup may still tell something about, oldest first."""
    now = timezone.now()
    return (
        Payment.objects.filter(
            Q(state__in=[State.CREATED, State.INITIATED, State.PAID, State.MISMATCHED])
            | Q(state=State.RELEASED, pidx__isnull=False, expires_at__gt=now - RELEASED_FOR)
            | Q(state=State.RELEASED, purchase__state=Purchase.State.OPEN)
        )
        .select_related("purchase")
        .order_by("pk")
    )
