"""A shop whose servers, or whose staff, have another time zone: our pages, files and mails are in Nepal's time."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings
from wagtail.users.models import UserProfile

import loyalink_khalti
from loyalink_khalti.flow.review import alerts
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.payments.states import FlagReason
from tests.backoffice.orders.test_list import LIST, export_rows
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk

pytestmark = pytest.mark.django_db(transaction=True)

EVENING = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
"""In Nepal it is 24 November, 01:45."""


@pytest.fixture(params=["UTC", "America/New_York", "Pacific/Auckland"])
def elsewhere(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.TIME_ZONE = request.param
    return str(request.param)


@pytest.fixture
def that_evening(paid: Payment) -> Payment:
    """A payment of that evening, with a flag."""
    Purchase.objects.update(created_at=EVENING)
    Payment.objects.update(created_at=EVENING, paid_at=EVENING, initiated_at=EVENING, expires_at=EVENING)
    Flag.objects.create(payment=paid, reason=FlagReason.PIDX_MISMATCH, evidence={})
    Flag.objects.update(raised_at=EVENING)
    paid.refresh_from_db()
    return paid


def test_customers_see_nepals_time(elsewhere: str, that_evening: Payment, client: Client) -> None:
    """H1"""
    page = client.get(f"/khalti/status/{that_evening.token}/").content.decode()

    assert "24 November 2026, 01:45" in page


def test_staff_see_nepals_time_in_pages_and_files(elsewhere: str, that_evening: Payment, desk: Desk) -> None:
    """H1"""
    listed, page, rows = desk.open(LIST), desk.page(that_evening), export_rows(desk)

    assert "24 November 2026, 01:45" in page_text(listed)
    assert "24 November 2026, 01:45" in page_text(page)
    assert "23 November 2026" not in page_text(page)
    assert {row["Created"] for row in rows} == {"2026-11-24 01:45"}


def test_staff_who_have_chosen_another_zone_in_wagtail_see_nepals_time(that_evening: Payment, desk: Desk) -> None:
    """H1: the days of reports are Nepal's, and a payment must not be shown on another day."""
    UserProfile.objects.update_or_create(user=desk.user, defaults={"current_time_zone": "America/New_York"})

    assert "24 November 2026, 01:45" in page_text(desk.open(LIST))


def test_mails_and_commands_have_nepals_time(
    elsewhere: str, that_evening: Payment, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """H1"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALERTS_TO": ["shopkeeper@shop.example"]}

    alerts.send_digest(1)
    call_command("khalti_flags")

    assert "24 November 2026, 01:45" in str(mail.outbox[-1].body)
    assert "2026-11-24 01:45" in capsys.readouterr().out


def test_no_template_shows_a_moment_in_another_time() -> None:
    """H1: a moment goes through ``nepal_time``; days need nothing."""
    found: Any = {
        str(template): moments
        for template in Path(loyalink_khalti.__file__).parent.glob("templates/**/*.*")
        if (
            moments := re.findall(
                r"(?<![\w.])[\w.]*(?:_at(?: }}|\|date)|\.at(?: }}|\|date)|\bat\|date)", template.read_text()
            )
        )
    }

    assert found == {}
