"""The pages of the counter: who may open them, what they ask, and that a form counts once."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from wagtail.models import ModelLogEntry, Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.counter.forms import SaleForm
from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.counter_sales import CounterRefund, CounterSale
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk, staff_user
from tests.flow.counter.conftest import bill, sell

pytestmark = pytest.mark.django_db(transaction=True)
NEW, SALE, SALES, REFUND = (f"loyalink_khalti_counter{name}" for name in ("", "_sale", "_sales", "_refund"))


def typed(**changes: Any) -> dict[str, Any]:
    """Return the data of a form that is filled in: a bill of Rs 1,250."""
    today = day_of(timezone.now()).isoformat()
    return {
        "customer": "9841234567", "bill_number": "A-12", "bill_day": today, "amount": "1,250", "method": "cash",
        "points": "", "code": "", "key": str(uuid4()), **changes,
    }  # fmt: skip


def test_a_sale_is_previewed_recorded_and_logged_once(desk: Desk) -> None:
    """U50, U53"""
    form = typed()
    preview = page_text(desk.post(NEW, **form, step="preview"))
    assert ("To pay Rs 1,250.00" in preview, "+125" in preview, CounterSale.objects.exists()) == (True, True, False)

    page = desk.post(NEW, **form, step="confirm")
    again = desk.post(NEW, **form, step="confirm")

    text = page_text(page)
    assert "You earned 125 points" in text
    code = page.select_one("textarea").text.partition("Claim code: ")[2][:11]
    assert flow.claim_counter_sale(code, site_key="default", member_id="7") == 125
    assert "already recorded" in page_text(again)
    assert "Claim code" not in page_text(again)
    (entry,) = ModelLogEntry.objects.filter(action="loyalink_khalti.counter_sale")
    assert entry.data == {"amount": 125_000, "earned": 125, "redeemed": 0}
    assert "9841234567" not in str(entry.data) + entry.label


def test_points_are_redeemed_with_the_code_and_the_page_says_what_they_are_worth(desk: Desk, sita: Any) -> None:
    """U51"""
    code = flow.show_counter_code(site_key="default", member_id=str(sita.pk)).digits
    form = typed(customer=sita.email, points="500", code=f"{code[:3]} {code[3:]}")

    preview = page_text(desk.post(NEW, **form, step="preview"))
    page = page_text(desk.post(NEW, **form, step="confirm"))

    assert "500, worth Rs 50.00 on this bill" in preview
    assert "To pay Rs 1,200.00" in preview
    assert "Points used: 500 = Rs 50.00" in page
    assert "Your balance: 620" in page


def test_what_was_typed_stays_and_each_error_is_at_its_field(desk: Desk, sita: Any) -> None:
    wrong = desk.post(NEW, **typed(customer="12", amount="१,२५०", points="100"), step="preview")

    assert "Enter an e-mail address, or a mobile number of Nepal" in page_text(wrong)
    assert "Enter the code that the customer's points card shows." in page_text(wrong)
    assert wrong.select_one("input[name=amount]")["value"] == "१,२५०"
    code = desk.post(NEW, **typed(customer=sita.email, points="100", code="000000"), step="preview")
    assert "This code is wrong, used or too old." in page_text(code)


def test_a_number_of_a_bill_that_was_used_is_asked_about(desk: Desk) -> None:
    """U53"""
    desk.post(NEW, **typed(), step="confirm")

    asked = desk.post(NEW, **typed(), step="preview")
    assert "was recorded on that day already" in page_text(asked)
    assert asked.select_one("input[name=is_another]") is not None
    desk.post(NEW, **typed(is_another="on"), step="confirm")
    assert CounterSale.objects.count() == 2


@pytest.mark.parametrize("day", ["2020-01-01", "2090-01-01", "tomorrow"])
def test_the_day_of_a_bill_is_of_this_month(shop: Any, day: str) -> None:
    form = SaleForm(typed(bill_day=day), site_key="default")

    assert "bill_day" in form.errors


def test_the_limits_stop_a_sale_and_its_permission_lifts_them(desk: Desk) -> None:
    """U54"""
    LoyaltySettings.objects.create(site=Site.objects.get(is_default_site=True), counter_limit_per_sale=100)

    refused = desk.post(NEW, **typed(), step="confirm", status=403)
    assert "Ask a colleague with permission" in page_text(refused)
    colleague = Desk(staff_user("hari", "use_counter", "counter_beyond_limit"))
    colleague.post(NEW, **typed(), step="confirm")
    assert CounterSale.objects.count() == 1


def test_nobody_without_the_permission_uses_the_counter(shop: Any) -> None:
    """U54"""
    outsider = Desk(staff_user("ram"))
    recorded = sell(bill())

    outsider.open(NEW, status=403)
    outsider.post(NEW, status=403, **typed(), step="confirm")
    outsider.open(SALES, status=403)
    outsider.post(SALE, recorded.sale.pk, status=403)
    Desk(staff_user("gita", "use_counter")).open(REFUND, recorded.sale.pk, status=403)
    assert CounterSale.objects.count() == 1


def test_a_refund_is_previewed_recorded_and_logged_once(desk: Desk) -> None:
    """U56"""
    recorded = sell(bill())
    form = {"amount": "1,000", "reason": "returned", "method": "cash", "key": str(uuid4())}

    preview = page_text(desk.post(REFUND, recorded.sale.pk, **form, step="preview"))
    desk.post(REFUND, recorded.sale.pk, **form, step="confirm")
    again = page_text(desk.post(REFUND, recorded.sale.pk, **form, step="confirm"))

    assert "You pay this out to the customer." in preview
    assert "already recorded" in again
    assert CounterRefund.objects.get().money == 100_000
    (entry,) = ModelLogEntry.objects.filter(action="loyalink_khalti.counter_refund")
    assert entry.data["money"] == 100_000
    too_much = page_text(desk.post(REFUND, recorded.sale.pk, **{**form, "key": str(uuid4())}, step="preview"))
    assert "Only Rs 250.00 of this bill is left to refund." in too_much


def test_a_new_claim_code_voids_the_one_before_and_is_logged(desk: Desk) -> None:
    recorded = sell(bill())

    page = page_text(desk.post(SALE, recorded.sale.pk))

    assert "Claim code:" in page
    assert recorded.claim_code not in page
    assert ModelLogEntry.objects.filter(action="loyalink_khalti.counter_code").count() == 1
    assert "Claim code:" not in page_text(desk.open(SALE, recorded.sale.pk))


def test_the_list_needs_the_same_statements_for_one_sale_and_for_many(desk: Desk, sita: Any) -> None:

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            desk.open(SALES)
        return len(queries)

    sell(bill(member_id=str(sita.pk), phone=""))
    desk.open(SALES)
    few = statements()
    for number in range(5):
        sell(bill(phone=f"984123456{number}"))
    assert statements() == few


@pytest.mark.parametrize("query", ["a-12", "984-1234567", "SITA@example.com"])
def test_a_sale_is_found_by_bill_number_address_and_mobile_number(desk: Desk, sita: Any, query: str) -> None:
    sell(bill(bill_number="A-12"))
    sell(bill(bill_number="A-12", member_id=str(sita.pk), phone="", is_another=True))
    sell(bill(phone="9800000000"))

    rows = desk.open(SALES, q=query).select("table.listing tbody tr")

    assert len(rows) == {"a-12": 2}.get(query, 1)


def test_the_export_has_real_numbers(desk: Desk) -> None:
    sell(bill(bill_number="A-12"))

    text = b"".join(desk.client.get("/admin/khalti/counter/sales/", {"export": "csv"}).streaming_content).decode()

    assert "A-12" in text
    assert "1250.00" in text


def test_the_list_filters_what_was_not_claimed_and_nothing_without_a_choice(desk: Desk, sita: Any) -> None:
    sell(bill(bill_number="A-1"))
    sell(bill(bill_number="A-2", member_id=str(sita.pk), phone=""))

    assert len(desk.open(SALES).select("table.listing tbody tr")) == 2
    assert len(desk.open(SALES, points="unclaimed").select("table.listing tbody tr")) == 1
