"""Money received outside Khalti on the desk: the list to review, the settlement report and the dashboard's panel."""

import csv
import re
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from loyalink_khalti.payments import job_runs, received, reports
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.received import ReceivedMoney

pytestmark = pytest.mark.django_db

DAY = date(2026, 2, 20)


@pytest.fixture
def reader(editor: User) -> User:
    """An editor who may view and export the reports on money."""
    editor.groups.get().permissions.add(
        *Permission.objects.filter(codename__in=["view_payment", "export_payment"])
    )  # fmt: skip
    return editor


def order(ref: str, *amounts: int, due: int = 100_000, site: str = "default") -> Purchase:
    """Create an order to be paid by bank transfer, with what was received; the rest of it is a surplus."""
    counted = min(sum(amounts), due)
    purchase = Purchase.objects.create(
        shop="oscar", ref=ref, number=ref, origin=ref, site_key=site, language="en", method="bank_transfer", cart={},
        total=due, amount_due=due, state="placed", received_part=counted, surplus=sum(amounts) - counted,
        received_at=timezone.now() if counted == due else None,
    )  # fmt: skip
    for number, amount in enumerate(amounts):
        ReceivedMoney.objects.create(purchase=purchase, amount=amount, received_on=DAY, key=f"{ref}:{number}")
    return purchase


def text_of(browser: Client, url: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", browser.get(url).content.decode()))


def test_an_order_with_a_surplus_is_in_the_list_to_review_and_its_spreadsheet(browser: Client, reader: User) -> None:
    """M25, M25b."""
    order("SS-1", 100_000)
    order("SS-2", 100_000, 55_000)
    url = reverse("loyalink_khalti_report_review")

    page = text_of(browser, url)
    export = browser.get(f"{url}?export=csv")
    rows = list(csv.DictReader(StringIO(b"".join(export.streaming_content).decode("utf-8-sig"))))  # type: ignore[attr-defined]

    assert "SS-2 Rs 550.00 Cash or a bank transfer was received that the order does not need." in page
    assert "Surplus received Rs 550.00" in page
    assert "SS-1" not in page
    assert [(row["Payment"], row["Amount (Rs)"]) for row in rows] == [("SS-2", "550.00")]


def test_the_list_links_to_the_order_in_the_shop(browser: Client, reader: User) -> None:
    order("SS-2", 100_000, 55_000)
    get_model("order", "Order").objects.create(number="SS-2", total_incl_tax=1000, total_excl_tax=1000)

    body = browser.get(reverse("loyalink_khalti_report_review")).content.decode()

    assert 'href="/shop/dashboard/orders/SS-2/"' in body


def test_the_settlement_report_has_cash_and_transfers_beside_khaltis_money(browser: Client, reader: User) -> None:
    """M25."""
    purchase = order("SS-1", 60_000, 45_000)
    Refund.objects.create(
        purchase=purchase, kind="received", key="back", state="done", subtotal=0, shipping=0, amount=5_000,
        done_at=timezone.now().replace(year=2026, month=2, day=21, hour=6),
    )  # fmt: skip
    url = reverse("loyalink_khalti_report_settlement")

    page = text_of(browser, f"{url}?days_from=2026-02-01&days_to=2026-02-28")

    assert "20 February 2026 0 Rs 0.00 Rs 0.00 0 Rs 0.00 Rs 0.00 Rs 1,050.00 Rs 0.00" in page
    assert "21 February 2026 0 Rs 0.00 Rs 0.00 0 Rs 0.00 Rs 0.00 Rs 0.00 Rs 50.00" in page
    assert "1 order has a surplus (Rs 50.00)" in page


def test_a_correction_counts_on_the_day_on_which_it_was_made() -> None:
    purchase = order("SS-1", 60_000)
    first = ReceivedMoney.objects.get()
    ReceivedMoney.objects.create(
        purchase=purchase, amount=-60_000, received_on=date(2026, 2, 25), reverses=first, reason="wrong", key="wrong"
    )

    days = reports.settlement(since=date(2026, 2, 1), until=date(2026, 2, 28))

    assert [(day.day, day.received) for day in days] == [(date(2026, 2, 25), -60_000), (DAY, 60_000)]
    assert reports.total(days).received == 0


def test_cash_is_not_mixed_with_test_payments() -> None:
    order("SS-1", 60_000)

    assert reports.settlement(since=DAY, until=DAY, environment="test", with_received=False) == []


def test_each_site_has_its_own() -> None:
    order("SS-1", 60_000)
    order("SS-2", 150_000, site="other")

    (day,) = reports.settlement(since=DAY, until=DAY, site_key="other")

    assert (day.received, received.surplus_total(site_key="default").payments) == (150_000, 0)
    assert [purchase.ref for purchase in received.surpluses(site_key="other")] == ["SS-2"]


def test_the_dashboard_says_that_money_waits_to_be_refunded(browser: Client, reader: User, site: Any) -> None:
    """M25, M25b."""
    job_runs.record_run(job_runs.RECONCILE)
    order("SS-1", 100_000)
    before = text_of(browser, reverse("wagtailadmin_home"))
    order("SS-2", 155_000)

    after = text_of(browser, reverse("wagtailadmin_home"))

    assert "surplus" not in before
    assert "1 order has a surplus of Rs 550.00 in cash or by bank transfer to refund." in after
