"""A colleague who is quicker: between what a page checks and what it writes. PostgreSQL's locks show when that is."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from tests.purchases import at_once

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
WAITS = """
    SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
"""


def overtaken(request: Callable[[], Any], *, by: Callable[[], object]) -> Any:
    """The answer to a request that found everything as it was, and had to wait for a colleague who has done ``by``."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.extend(at_once(1, lambda _number: request())))
    with transaction.atomic():
        by()
        thread.start()
        _until_it_waits()
    thread.join(20)
    (answer,) = answers
    return answer


def _until_it_waits() -> None:
    with connection.cursor() as cursor:
        for _turn in range(1000):
            cursor.execute(WAITS)
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    pytest.fail("the request has not waited for the colleague")
