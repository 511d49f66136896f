"""The time that decides is the database's, whatever the clock of a server says."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from loyalink_khalti import flow, outbox
from loyalink_khalti.clock import DatabaseTime, clock_replaced, database_now
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments import job_runs
from loyalink_khalti.payments.job_runs import LastRun
from tests.clocks import DAY, SECOND, on_postgresql, wrong_clock

__all__ = ["wrong_clock"]

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 2, 25, 6, 0, tzinfo=UTC)


def test_tests_replace_the_clock_in_one_place() -> None:
    """R7"""
    with clock_replaced(lambda: NOW):
        job_runs.record_run("job")
        read = LastRun.objects.annotate(read_at=DatabaseTime(SECOND)).values_list("at", "read_at").get()

        assert (database_now(), *read) == (NOW, NOW, NOW + SECOND)


def test_a_moment_is_later_after_a_wait_within_a_transaction() -> None:
    """R7: ``now()`` would be when the transaction began."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        first = database_now()
        seconds = [LastRun.objects.create(name=name, at=DatabaseTime()) for name in ("one", "two")]
        cursor.execute("COMMIT")
    one, two = LastRun.objects.filter(pk__in=[row.pk for row in seconds]).order_by("pk").values_list("at", flat=True)

    assert first < one < two < database_now()


@on_postgresql
def test_the_databases_time_is_used_whatever_the_servers_clock_says(wrong_clock: timedelta) -> None:
    """R7"""
    job_runs.record_run("job")
    in_rows = LastRun.objects.get().at

    for time in (database_now(), in_rows):
        assert abs(time - (timezone.now() - wrong_clock)) < timedelta(seconds=20)


@pytest.mark.parametrize("claimed", [True, False], ids=["claimed", "waiting"])
def test_a_message_whose_time_is_in_the_future_is_sent(claimed: bool) -> None:
    """R7: a pass waited for the claim, for a day."""
    Message.objects.create(
        function=f"{__name__}.remember", payload={"what": "sent"}, due_at=database_now() + DAY + timedelta(hours=1),
        attempts=int(claimed),
    )  # fmt: skip
    remembered.clear()

    sent = outbox.deliver(ignore_back_off=claimed)

    assert (sent, remembered) == (1, ["sent"])


def test_a_message_waits_for_the_last_one_only_if_that_was_sent_before() -> None:
    """R7: the e-mail about new Flags is not put off for a day."""
    fields = {"function": f"{__name__}.remember", "payload": {"what": "old"}, "key": "alerts"}
    Message.objects.create(**fields, sent_at=database_now() + DAY)
    remembered.clear()

    outbox.post_once(f"{__name__}.remember", key="alerts", apart=timedelta(hours=1), what="new")

    assert remembered == ["new"]


def test_a_job_whose_last_run_is_in_the_future_runs_again_and_does_not_count_as_running() -> None:
    """R7: health said that all is well for a day, and what runs once a minute did not run for a day."""
    LastRun.objects.create(name=job_runs.RECONCILE, at=database_now() + DAY)

    running = flow.health().is_reconciler_running
    claimed = job_runs.claim_run(job_runs.RECONCILE, every=timedelta(minutes=1))
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        claimed_later = job_runs.claim_run(job_runs.RECONCILE, every=timedelta(minutes=1))
        running_later = flow.health().is_reconciler_running

    assert (running, running_later) == (False, True)
    assert (claimed, claimed_later) == (False, True)


remembered: list[str] = []


def remember(what: str) -> None:
    remembered.append(what)
