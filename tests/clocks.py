"""A server whose clock is wrong, while the database's is right."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from loyalink_khalti.clock import clock_replaced

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="an SQLite file is used on one machine, whose clock is the database's"
)


@pytest.fixture(params=[-DAY, timedelta(minutes=10), DAY], ids=["a day behind", "10 minutes ahead", "a day ahead"])
def wrong_clock(request: pytest.FixtureRequest) -> Iterator[timedelta]:
    """This server's own clock is wrong; the database's is not."""
    with clock_replaced(lambda: None), time_machine.travel(timezone.now() + request.param):
        yield request.param
