"""A colleague who changes something between a page's check and its write; PostgreSQL's locks show when that is."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from tests.purchases import at_once

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
WAITING = """
    SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
"""


def respond_after(request: Callable[[], Any], *, change: Callable[[], object]) -> Any:
    """Return the response to a request that starts before ``change`` and waits for it to be committed."""
    responses: list[Any] = []
    thread = threading.Thread(target=lambda: responses.extend(at_once(1, lambda _number: request())))
    with transaction.atomic():
        change()
        thread.start()
        _until_it_waits()
    thread.join(20)
    (response,) = responses
    return response


def _until_it_waits() -> None:
    with connection.cursor() as cursor:
        for _attempt in range(1000):
            cursor.execute(WAITING)
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    pytest.fail("the request did not wait for the change")
