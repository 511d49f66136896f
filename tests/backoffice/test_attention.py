"""What the first page of Wagtail's admin says of payments that need a person."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyalink_khalti.outbox import Message
from loyalink_khalti.payments import watch
from loyalink_khalti.payments.models import Credentials, Flag, LastRun, Payment, Purchase
from loyalink_khalti.payments.states import Reason

pytestmark = pytest.mark.django_db

HEADING = "Payments that need you"


@pytest.fixture
def shopkeeper(editor: User) -> User:
    """An editor who may see payments as well."""
    editor.groups.get().permissions.add(Permission.objects.get(codename="view_payment"))
    return editor


@pytest.fixture
def scheduled(db: None) -> None:
    """The reconciler has just been at work."""
    watch.ran(watch.RECONCILE)


@pytest.fixture
def first_page(browser: Client, site: Any) -> Callable[[], str]:
    """What the editor reads there, without the tags."""

    def words() -> str:
        body = browser.get(reverse("wagtailadmin_home")).content.decode()
        assert "Dashboard" in body
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))

    return words


def payment(ref: str = "order-1", **fields: Any) -> Payment:
    """A payment as a shop has it; ``fields`` are its own."""
    key, _made = Credentials.objects.get_or_create(
        site_key="default", environment="test", base_url="https://dev.khalti.com/api/v2/", fingerprint="c0ffee"
    )
    purchase = Purchase.objects.create(
        shop="fake", ref=ref, origin=ref, site_key="default", language="en", method="khalti", cart={},
        total=250_000, payable=250_000,
    )  # fmt: skip
    fields = {"state": "initiated", "pidx": f"pidx of {ref}", **fields}
    return Payment.objects.create(purchase=purchase, credentials=key, environment="test", amount=250_000, **fields)


def flag(ref: str, **fields: Any) -> Flag:
    return Flag.objects.create(payment=payment(ref), reason=Reason.LATE, **fields)


def test_where_all_is_well_it_says_nothing(shopkeeper: User, scheduled: None, first_page: Callable[[], str]) -> None:
    payment()

    assert HEADING not in first_page()


def test_it_counts_the_payments_that_wait_for_a_decision_and_names_the_oldest_and_the_command(
    shopkeeper: User, scheduled: None, first_page: Callable[[], str]
) -> None:
    """I16"""
    flag("order-1", raised_at=timezone.now() - timedelta(days=2))
    flag("order-2", resolved_at=timezone.now())
    one = first_page()
    flag("order-3")

    assert "1 payment waits for a decision." in one
    assert "2 payments wait for a decision." in first_page()
    assert "The oldest has waited for 2 days." in one
    assert "Whoever runs the server sees each, and decides, with: python manage.py khalti_flags" in one


def test_it_leads_to_the_list_of_what_waits(
    shopkeeper: User, scheduled: None, browser: Client, first_page: Callable[[], str]
) -> None:
    flag("order-1")
    first_page()

    assert (
        f'href="{reverse("loyalink_khalti_report_attention")}" class="button'
        in browser.get(reverse("wagtailadmin_home")).content.decode()
    )


def test_who_may_not_see_payments_sees_none_of_it(editor: User, first_page: Callable[[], str]) -> None:
    """I12"""
    flag("order-1")

    assert HEADING not in first_page()


def test_a_superuser_sees_it(editor: User, first_page: Callable[[], str]) -> None:
    User.objects.update(is_superuser=True)
    flag("order-1")

    assert HEADING in first_page()


def test_it_says_that_the_reconciler_has_never_run(shopkeeper: User, first_page: Callable[[], str]) -> None:
    """G06"""
    page = first_page()

    assert HEADING in page
    assert "khalti_reconcile has never run. Let it run beside the shop" in page


def test_it_says_how_long_ago_the_reconciler_ran_where_that_is_long(
    shopkeeper: User, first_page: Callable[[], str]
) -> None:
    """G06"""
    LastRun.objects.create(name=watch.RECONCILE, at=timezone.now() - timedelta(hours=3))

    assert "khalti_reconcile last ran 3 hours ago. Let it run beside the shop" in first_page()


def test_it_says_how_old_the_oldest_payment_is_that_nobody_looks_at(
    shopkeeper: User, scheduled: None, first_page: Callable[[], str]
) -> None:
    """G06"""
    payment(created_at=timezone.now() - timedelta(hours=5))

    assert "Nobody has asked Khalti lately about a payment that was begun 5 hours ago." in first_page()


def test_it_says_that_mails_cannot_be_sent(shopkeeper: User, scheduled: None, first_page: Callable[[], str]) -> None:
    """G04"""
    Message.objects.create(function="no.such.function", payload={}, tries=5, error="ModuleNotFoundError")

    assert "1 message (a mail, say) could not be sent again and again" in first_page()


def test_it_costs_four_statements_whatever_the_history(
    shopkeeper: User, scheduled: None, browser: Client, site: Any
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            browser.get(reverse("wagtailadmin_home"))
        return sum("loyalink" in query["sql"] for query in captured)

    few = statements()
    for number in range(10):
        flag(f"order-{number}", raised_at=timezone.now() - timedelta(days=number))

    assert (few, statements()) == (4, 4)
