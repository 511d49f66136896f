"""R9: processes of this version on a database before ``migrate`` say so, and take no orders."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.session_payments import SESSION_KEY
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

LABEL, COLUMN = "loyalink_khalti", "line_details"


@pytest.fixture
def unmigrated() -> Iterator[str]:
    """The database without our newest migration, and without a column that purchases have since. Its name."""
    recorder = MigrationRecorder(connection)
    newest: str = max(name for label, name in recorder.applied_migrations() if label == LABEL)
    rename = "ALTER TABLE loyalink_khalti_purchase RENAME COLUMN {} TO {}"
    recorder.record_unapplied(LABEL, newest)
    with connection.cursor() as cursor:
        cursor.execute(rename.format(COLUMN, "elsewhere"))
    yield newest
    with connection.cursor() as cursor:
        cursor.execute(rename.format("elsewhere", COLUMN))
    recorder.record_applied(LABEL, newest)


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti) -> Payment:
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)
    return payment


@pytest.fixture
def browser(payment: Payment, client: Client) -> Client:
    """The browser that began the payment; it gets error pages as a browser would."""
    client.raise_request_exception = False
    client.get("/")
    session = client.session
    session[SESSION_KEY] = [payment.token]
    session.save()
    return client


def test_a_migrated_database_lacks_nothing() -> None:
    """R9"""
    assert flow.missing_migrations() == []


def test_a_page_that_meets_the_database_before_migrate_says_that_the_shop_is_being_updated(
    browser: Client, unmigrated: str, caplog: Any
) -> None:
    """R9: it was an error page."""
    page = browser.get("/")

    assert (page.status_code, page["Retry-After"]) == (503, "60")
    assert "The shop is being updated." in page.content.decode()
    assert unmigrated in caplog.text


@pytest.mark.parametrize("page", ["return", "status"])
def test_a_customer_who_returns_before_migrate_reads_that_the_payment_is_safe(
    browser: Client, payment: Payment, unmigrated: str, page: str
) -> None:
    """R9: it was an error page on PostgreSQL."""
    answer = browser.get(f"/khalti/{page}/{payment.token}/")

    assert (answer.status_code, "Refresh" in answer) == (503, True)
    assert "Your payment is safe" in answer.content.decode()


def test_other_errors_of_the_database_are_not_called_an_update(browser: Client) -> None:
    """R9"""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE loyalink_khalti_payment RENAME TO elsewhere")
    try:
        page = browser.get("/")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO loyalink_khalti_payment")

    assert page.status_code != 503 or "being updated" not in page.content.decode()


def test_a_pass_before_migrate_touches_nothing_and_names_the_migrations(payment: Payment, unmigrated: str) -> None:
    """R9"""
    with pytest.raises(CommandError, match=unmigrated) as failure:
        call_command("khalti_reconcile", stdout=StringIO(), stderr=StringIO())

    assert failure.value.returncode == 2
    payment.refresh_from_db(fields=["state", "lookup_history"])
    assert (payment.state, payment.lookup_history) == ("initiated", [])
