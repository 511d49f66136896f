"""Close a day: record the counted cash beside the takings of the day as they are now. Amounts are paisa."""

from dataclasses import dataclass
from datetime import date

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotClose
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import takings
from loyalink_khalti.payments.daily_close import DailyClose
from loyalink_khalti.payments.reports import environments
from loyalink_khalti.payments.takings import Taking


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A close, and whether this call has recorded it."""

    close: DailyClose
    is_new: bool


def counted_environment() -> str | None:
    """Return Khalti's environment that takings count: live, unless the shop has only used the test server."""
    used = environments()
    return conf.LIVE if conf.LIVE in used else next(iter(used), None)


def day_takings(*, day: date, site_key: str) -> list[Taking]:
    """Return the takings of one day and site, a row for each method."""
    return takings.takings(since=day, until=day, site_key=site_key, environment=counted_environment())


def close_day(
    *, site_key: str, day: date, float_amount: Paisa, counted: Paisa, reason: str, actor: str, key: str
) -> Closed:
    """Record the counted cash of a day, in paisa; a second call with the same ``key`` changes nothing.

    ``float_amount`` lay in the drawer in the morning. Raises ``CannotClose`` with a sentence for staff: a day that has
    not begun, or a difference without a ``reason``.
    """
    known = DailyClose.objects.filter(key=key).first()
    if known is not None:
        return Closed(close=known, is_new=False)
    if day > day_of(timezone.now()):
        raise CannotClose(_("This day has not begun."))
    rows = day_takings(day=day, site_key=site_key)
    expected = Paisa(takings.cash(rows) + float_amount)
    if counted != expected and not reason.strip():
        raise CannotClose(_("The counted cash differs from the takings: say why."))
    close = DailyClose(
        site_key=site_key, day=day, float_amount=float_amount, expected=expected, counted=counted,
        reason=reason.strip()[:500] if counted != expected else "", key=key, actor=actor,
        takings=[
            {"method": str(row.method), "received": row.received, "fees": row.fees, "refunded": row.refunded}
            for row in rows
        ],
    )  # fmt: skip
    try:
        with transaction.atomic():
            close.save()
    except IntegrityError:  # the same form at the same time
        return Closed(close=DailyClose.objects.get(key=key), is_new=False)
    return Closed(close=close, is_new=True)
