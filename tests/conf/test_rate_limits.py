"""Limits that the processes of a shop share through Django's cache (D4)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.cache import caches
from django.utils import timezone
from limits import RateLimitItemPerHour

from loyalink_khalti import conf
from loyalink_khalti.payments import servers

BACKENDS = "django.core.cache.backends"
LIMIT = RateLimitItemPerHour(3)


@pytest.fixture(params=["locmem.LocMemCache", "filebased.FileBasedCache", "db.DatabaseCache"])
def alias(request: pytest.FixtureRequest, settings: Any, tmp_path: Path, db: None) -> str:
    location = {"db.DatabaseCache": "django_cache_table"}.get(request.param, str(tmp_path))
    settings.CACHES = {**settings.CACHES, "limits": {"BACKEND": f"{BACKENDS}.{request.param}", "LOCATION": location}}
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "CACHE": "limits"}
    if request.param == "db.DatabaseCache":
        from django.core.management import call_command

        call_command("createcachetable", location)
    return "limits"


def hits(number: int, *who: str) -> list[int]:
    return [conf.seconds_to_wait(LIMIT, "order", *who) for _hit in range(number)]


def test_above_the_limit_it_says_how_long_to_wait(alias: str) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        assert hits(5, "one") == [0, 0, 0, 3600, 3600]


def test_everybody_is_counted_apart_whatever_characters_the_name_has(alias: str) -> None:
    assert hits(4, "a name with spaces, पेन")[-1] > 0
    assert hits(3, "another") == [0, 0, 0]


def test_a_window_lasts_as_long_as_the_limit_says_whatever_the_caches_default_timeout(alias: str) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        hits(3, "one")
        clock.shift(timedelta(minutes=50))  # Django's default timeout is 5 minutes
        before = hits(1, "one")
        clock.shift(timedelta(minutes=11))

        assert before[0] > 0
        assert hits(4, "one")[:3] == [0, 0, 0]


def test_another_process_counts_on(alias: str) -> None:
    """D4"""
    hits(3, "one")

    servers.forget_caches()

    assert hits(1, "one")[0] > 0


def test_while_the_cache_fails_each_process_limits_for_itself(caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    """D4, N16"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "CACHE": "no such cache"}

    assert [wait > 0 for wait in hits(5, "one")] == [False, False, False, True, True]
    assert caplog.text.count("each process limits for itself") == 1


def test_a_count_that_was_culled_starts_again(alias: str) -> None:
    hits(3, "one")

    caches[alias].clear()

    assert hits(3, "one") == [0, 0, 0]


def test_the_wait_is_never_longer_than_the_period_whatever_clock_began_it(
    alias: str,
) -> None:
    """R7: customers of one server were asked to wait for a day."""
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        hits(LIMIT.amount)

    assert 1 <= hits(1)[0] <= LIMIT.get_expiry()
