"""Remind staff of what has waited for them too long, in one e-mail a day, and say when the reconciler has stopped.

Any process may notice: a pass, the daily points run, and a page view (after its response), which is what is left when
no job runs any more. Rows in ``LastRun`` let one of them look, every few minutes, and one of them write, once a day.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min, QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.translation import ngettext_lazy

from loyalink_khalti import conf, outbox
from loyalink_khalti.clock import database_now, is_older
from loyalink_khalti.flow.operations.health import health
from loyalink_khalti.payments import cancelled_orders, job_runs, missing_orders, received
from loyalink_khalti.payments.models import Flag, Purchase, Refund
from loyalink_khalti.payments.states import UNANSWERED_REFUNDS
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.payments.without_order import is_under_review, payments_without_order

from .alerts import mail_alert

LOOK, LOOK_EVERY = "reminder_look", timedelta(minutes=10)
REMINDER, STOPPED = "review_reminder", "reconciler_stopped"
ONCE = timedelta(days=1)
"""The names in ``LastRun``, how often somebody looks, and how often the same is mailed."""

_MAIL_REMINDER = f"{__name__}.mail_reminder"
_MAIL_STOPPED = f"{__name__}.mail_stopped"

Waiting = tuple[Any, int, datetime]
"""What waits, as a sentence with ``%(number)d``; how many; since when the oldest waits."""


def remind_staff() -> None:
    """Let the outbox e-mail what has waited too long, if anything has. Call it often: it looks every ten minutes."""
    if not job_runs.claim_run(LOOK, every=LOOK_EVERY):
        return
    after = conf.review_reminder_after()
    # In one transaction, or a process that dies between the two would cost a day.
    if after is not None and any(_waiting(after)):
        with transaction.atomic():
            if job_runs.claim_run(REMINDER, every=ONCE):
                outbox.post(_MAIL_REMINDER)
    if _has_stopped():
        with transaction.atomic():
            if job_runs.claim_run(STOPPED, every=ONCE):
                outbox.post(_MAIL_STOPPED)


def mail_reminder(message_id: int) -> None:
    """E-mail ``ALERTS_TO`` what waits for staff, each kind with its number; the outbox calls this at least once."""
    after = conf.review_reminder_after()
    waiting = list(_waiting(after)) if after is not None else []
    if waiting:
        with translation.override(settings.LANGUAGE_CODE):  # like the rest of the e-mail
            rows = [{"text": text % {"number": number}, "since": since} for text, number, since in waiting]
        number = sum(number for _text, number, _since in waiting)
        hours = round(after.total_seconds() / 3600) if after else 0
        context = {"rows": rows, "number": number, "hours": hours, "review_url": _review_url()}
        mail_alert("reminder", context, message_id)


def mail_stopped(message_id: int) -> None:
    """E-mail ``ALERTS_TO`` that payments wait for a reconciler that does not run, if that is still so."""
    if _has_stopped():
        now = health()
        context = {"last_run": now.last_reconciled_at, "oldest": now.oldest_overdue_at}
        mail_alert("reconciler_stopped", context, message_id)


def _has_stopped() -> bool:
    now = health()
    return now.has_overdue_payments and not now.is_reconciler_running


def _waiting(after: timedelta) -> Iterator[Waiting]:
    """Yield each kind of thing that has waited for staff for ``after`` or longer; money comes first."""
    closed = payments_without_order().filter(~is_under_review())
    counted: list[tuple[Any, QuerySet[Any], str]] = [
        (ngettext_lazy("%(number)d payment to review", "%(number)d payments to review", "number"),
         Flag.objects.filter(resolved_at=None), "raised_at"),
        (ngettext_lazy("%(number)d payment without an order", "%(number)d payments without an order", "number"),
         closed, "created_at"),
        (ngettext_lazy("%(number)d unmatched payment", "%(number)d unmatched payments", "number"),
         UnmatchedPayment.objects.to_review(), "found_at"),
        (ngettext_lazy("%(number)d unconfirmed refund", "%(number)d unconfirmed refunds", "number"),
         Refund.objects.filter(state__in=sorted(UNANSWERED_REFUNDS)), "sent_at"),
    ]  # fmt: skip
    for text, rows, field in counted:
        found = rows.filter(is_older(field, after)).aggregate(number=Count("pk"), oldest=Min(field))
        if found["number"]:
            yield text, found["number"], found["oldest"]
    before = database_now() - after
    listed: list[tuple[Any, list[datetime]]] = [
        (ngettext_lazy("%(number)d cancelled order", "%(number)d cancelled orders", "number"),
         [row.noticed_at for row in cancelled_orders.to_close()]),
        (ngettext_lazy("%(number)d deleted order", "%(number)d deleted orders", "number"),
         _since(missing_orders.to_close())),
        (ngettext_lazy("%(number)d order paid more than it costs", "%(number)d orders paid more than they cost",
                       "number"),
         _since(received.surpluses())),
    ]  # fmt: skip
    for text, times in listed:
        if old := [at for at in times if at <= before]:
            yield text, len(old), min(old)


def _since(rows: QuerySet[Purchase]) -> list[datetime]:
    """Return since when each of some purchases waits, which their query has annotated."""
    return [since for row in rows if (since := getattr(row, "since", None)) is not None]


def _review_url() -> str:
    """Return where staff see all of it; "" in a shop without Wagtail's admin."""
    try:
        return conf.absolute_url(conf.DEFAULT_SITE, reverse("loyalink_khalti_report_review"))
    except NoReverseMatch:
        return ""
