"""Whether everything that should happen by itself does happen; for checks, badges and whoever watches the shop."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min
from django.utils import timezone

from loyalink_khalti import outbox
from loyalink_khalti.payments import watch
from loyalink_khalti.payments.models import Flag
from loyalink_khalti.payments.states import SETTLED, State

from .finish import unsent_after

LATE = timedelta(minutes=15)
"""A payment that should have been looked at so long ago says that nothing looks."""
SELDOM = timedelta(hours=1)
"""A reconciler that was not at work for so long is not scheduled."""

_SURE = SETTLED | {State.MISMATCHED}
"""Where the money has come and its shopper, or staff, know of it; these are looked at for refunds alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a person should know: how many wait for a decision, and whether the jobs run."""

    flags: int
    """Payments' Flags that are open."""
    flagged_since: datetime | None
    """When the oldest of them was raised; None: there is none."""
    last_run: datetime | None
    """When ``khalti_reconcile`` was last at work; None: never."""
    overdue_since: datetime | None
    """When the oldest payment was begun that may have been paid and that nothing has looked at in time; None: none."""
    stuck: int
    """Messages (mails, say) that fail again and again."""

    @property
    def is_scheduled(self) -> bool:
        """Whether the reconciler runs of itself."""
        return self.last_run is not None and self.last_run > timezone.now() - SELDOM

    @property
    def is_late(self) -> bool:
        """Whether payments wait that nothing looks at."""
        return self.overdue_since is not None


def health() -> Health:
    """How the shop does just now; four statements, whatever the history."""
    waiting = watch.watched(unsent_after=unsent_after()).exclude(state__in=_SURE)
    overdue = watch.due(waiting, by=timezone.now() - LATE)
    flags = Flag.objects.filter(resolved_at=None).aggregate(number=Count("pk"), oldest=Min("raised_at"))
    return Health(
        flags=flags["number"],
        flagged_since=flags["oldest"],
        last_run=watch.last_run(watch.RECONCILE),
        overdue_since=overdue.order_by("created_at").values_list("created_at", flat=True).first(),
        stuck=outbox.stuck(),
    )
