"""R7: points expire and become available by the database's time, whatever the clock of a server says."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from loyalink_khalti.clock import clock_replaced, database_now
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from tests.loyalty.conftest import adjust, award, set_rules

pytestmark = [
    pytest.mark.money,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="an SQLite file is used on one machine"),
]

DAY = timedelta(days=1)


@pytest.mark.parametrize("wrong", [-2 * DAY, 2 * DAY], ids=["two days behind", "two days ahead"])
def test_a_server_with_a_wrong_clock_expires_and_activates_what_is_due(account: Account, wrong: timedelta) -> None:
    """R7: points that expire tomorrow were expired today, for good."""
    set_rules(pending_days=1)
    adjust(100, "still valid")
    adjust(50, "over")
    award(100_000)
    Lot.objects.filter(original=100).update(expires_at=database_now() + DAY)
    Lot.objects.filter(original=50).update(expires_at=database_now() - timedelta(minutes=1))

    with clock_replaced(lambda: None), time_machine.travel(timezone.now() + wrong):
        list(ledger.sweep())
        adjust(10, "written by this server")

    account.refresh_from_db()
    assert (account.available, account.pending) == (110, 100)
    assert abs(Entry.objects.latest("seq").at - database_now()) < timedelta(seconds=20)
    assert abs(account.last_activity_at - database_now()) < timedelta(seconds=20)
