"""Payments to review, on the dashboard of Wagtail's admin."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyalink_khalti.outbox import Message
from loyalink_khalti.payments import job_runs, servers
from loyalink_khalti.payments.flags import raise_unreadable_flag
from loyalink_khalti.payments.models import Credentials, Flag, Payment, Purchase
from loyalink_khalti.payments.servers import KhaltiServer
from loyalink_khalti.payments.states import FlagReason

pytestmark = pytest.mark.django_db

HEADING = "Payments to review"


@pytest.fixture
def shopkeeper(editor: User) -> User:
    """An editor who may view payments."""
    editor.groups.get().permissions.add(Permission.objects.get(codename="view_payment"))
    return editor


@pytest.fixture
def scheduled(db: None) -> None:
    """The reconciler has just run."""
    job_runs.record_run(job_runs.RECONCILE)


@pytest.fixture
def dashboard(browser: Client, site: Any) -> Callable[[], str]:
    """Read the dashboard as text."""

    def read() -> str:
        page = BeautifulSoup(browser.get(reverse("wagtailadmin_home")).content, "html.parser")
        main = page.select_one("main")
        assert main is not None  # the menu beside it has an item of the panel's name
        return " ".join(main.get_text(" ").split())

    return read


def payment(ref: str = "order-1", **fields: Any) -> Payment:
    """Create a payment; ``fields`` are the payment's own."""
    key, _made = Credentials.objects.get_or_create(
        site_key="default", environment="test", base_url="https://dev.khalti.com/api/v2/", fingerprint="c0ffee"
    )
    purchase = Purchase.objects.create(
        shop="fake", ref=ref, origin=ref, site_key="default", language="en", method="khalti", cart={},
        total=250_000, amount_due=250_000,
    )  # fmt: skip
    fields = {"state": "initiated", "pidx": f"pidx of {ref}", **fields}
    return Payment.objects.create(purchase=purchase, credentials=key, environment="test", amount=250_000, **fields)


def flag(ref: str, **fields: Any) -> Flag:
    return Flag.objects.create(payment=payment(ref), reason=FlagReason.LATE, **fields)


def test_the_panel_is_hidden_if_there_is_nothing_to_report(
    shopkeeper: User, scheduled: None, dashboard: Callable[[], str]
) -> None:
    payment()

    assert HEADING not in dashboard()


def test_the_panel_counts_the_payments_to_review_and_says_how_long_the_oldest_has_waited(
    shopkeeper: User, scheduled: None, dashboard: Callable[[], str]
) -> None:
    """I16"""
    flag("order-1", raised_at=timezone.now() - timedelta(days=2))
    flag("order-2", resolved_at=timezone.now())
    one = dashboard()
    flag("order-3")

    assert "1 payment needs review." in one
    assert "2 payments need review." in dashboard()
    assert "The oldest has been waiting for 2 days." in one
    assert "manage.py" not in one


def test_the_panel_links_to_the_report(
    shopkeeper: User, scheduled: None, browser: Client, dashboard: Callable[[], str]
) -> None:
    flag("order-1")
    dashboard()

    assert (
        f'href="{reverse("loyalink_khalti_report_review")}" class="button'
        in browser.get(reverse("wagtailadmin_home")).content.decode()
    )


def test_the_panel_needs_the_permission_to_view_payments(editor: User, dashboard: Callable[[], str]) -> None:
    """I12"""
    flag("order-1")

    assert HEADING not in dashboard()


def test_a_superuser_sees_the_panel_with_the_command(editor: User, dashboard: Callable[[], str]) -> None:
    User.objects.update(is_superuser=True)
    flag("order-1")

    page = dashboard()

    assert HEADING in page
    assert "On the server, list and resolve them with: python manage.py khalti_flags" in page


def test_the_panel_says_that_the_reconciler_has_never_run(shopkeeper: User, dashboard: Callable[[], str]) -> None:
    """G06"""
    page = dashboard()

    assert HEADING in page
    assert "The job khalti_reconcile has never run. Run it alongside the shop" in page


def test_the_panel_says_when_the_reconciler_last_ran(shopkeeper: User, dashboard: Callable[[], str]) -> None:
    """G06"""
    job_runs.LastRun.objects.create(name=job_runs.RECONCILE, at=timezone.now() - timedelta(hours=3))

    assert "The job khalti_reconcile last ran 3 hours ago. Run it alongside the shop" in dashboard()


def test_the_panel_shows_the_figures_of_the_last_pass(
    shopkeeper: User, scheduled: None, dashboard: Callable[[], str]
) -> None:
    """G03: a pass in which payments failed is a reason to show the panel."""
    figures = {
        "started_at": datetime.fromisoformat("2026-02-25T06:15:00+00:00"),
        "seconds": 6.94,
        "failed": "failed",
    }
    job_runs.record_figures(job_runs.RECONCILE, job_runs.counted(Counter(paid=1000), **figures))
    all_well = dashboard()
    job_runs.record_figures(job_runs.RECONCILE, job_runs.counted(Counter(paid=1000, failed=2), **figures))

    assert HEADING not in all_well
    assert (
        "The last pass of khalti_reconcile with anything to check began on 25 February 2026, 12:00 and checked 1000"
        " payments in 6.9 seconds. 2 payments failed; the server's log has the reasons." in dashboard()
    )


def test_the_panel_says_since_when_khalti_gives_no_usable_answer(
    shopkeeper: User, scheduled: None, dashboard: Callable[[], str]
) -> None:
    """R1, R1c"""
    for _time in range(4):
        servers.record_failure("https://khalti.com", "503")
    no_outage_yet = dashboard()
    servers.record_failure("https://khalti.com", "503")
    KhaltiServer.objects.update(silent_since=datetime.fromisoformat("2026-02-25T06:15:00+00:00"))

    assert HEADING not in no_outage_yet
    assert (
        "Khalti (https://khalti.com) has given no usable answer since 25 February 2026, 12:00. It was last tried 0"
        in dashboard()
    )


def test_the_panel_says_that_answers_cannot_be_read(
    shopkeeper: User, scheduled: None, dashboard: Callable[[], str]
) -> None:
    """R2"""
    raise_unreadable_flag(payment(), "an answer without a usable pidx", "{status: string}")

    page = dashboard()

    assert "1 payment needs review." in page
    assert "Some of Khalti's answers have not been readable since" in page


def test_the_panel_says_how_old_the_oldest_unchecked_payment_is(
    shopkeeper: User, scheduled: None, dashboard: Callable[[], str]
) -> None:
    """G06"""
    ago = timezone.now() - timedelta(hours=5)
    payment(created_at=ago, next_poll_at=ago)

    assert "A payment that was created 5 hours ago has not been checked at Khalti lately." in dashboard()


def test_the_panel_says_that_mails_cannot_be_sent(
    shopkeeper: User, scheduled: None, dashboard: Callable[[], str]
) -> None:
    """G04"""
    Message.objects.create(function="no.such.function", payload={}, attempts=5, error="ModuleNotFoundError")

    assert "1 message (for example an e-mail) failed repeatedly" in dashboard()


def test_the_dashboard_takes_few_statements_whatever_the_history(
    shopkeeper: User, scheduled: None, browser: Client, site: Any
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            browser.get(reverse("wagtailadmin_home"))
        return sum("loyalink" in query["sql"] for query in captured)

    few = statements()
    for number in range(10):
        flag(f"order-{number}", raised_at=timezone.now() - timedelta(days=number))

    assert (few, statements()) == (21, 21)  # nine of them are the takings of the week
