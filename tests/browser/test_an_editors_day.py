"""What an editor does in a week, in a real browser and on the running store: all of it in Wagtail.

With ``--pictures`` the pictures of docs/desk.md are made anew on the way.
"""

from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from selenium.webdriver.common.by import By

from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.states import FlagReason
from tests.browser.conftest import Browser
from tests.stories.running_store import Store

pytestmark = [pytest.mark.browser, pytest.mark.sampled, pytest.mark.timeout(180)]

KEY = "live_secret_key_0000000000004000800000000c0ffee00"
JOURNAL = "Lokta paper journal"


@pytest.fixture
def editor(browser: Browser) -> Browser:
    return browser.log_in("editor")


def buy(store: Store, email: str, *, points: str | None = None, takes: str = "") -> str:
    """Buy a journal for Rs 2,500 and come back from Khalti; ``takes`` is a fault of its lookup."""
    customer = store.browser(email)
    customer.add(JOURNAL)
    at_khalti = customer.place_order(customer.choose(customer.check_out(), "khalti", points=points)).url
    pidx = parse_qs(urlsplit(at_khalti).query)["pidx"][0]
    if takes:
        store.khalti.fault(takes, where="lookup", pidx=pidx, times=None)
    customer.pay(at_khalti)
    return pidx


def order_of(store: Store, pidx: str) -> str:
    return str(next(row for row in store.audit()["payments"] if row["pidx"] == pidx)["order"])


def open_payment(editor: Browser, found_by: str) -> None:
    """By the list, as one looks for it."""
    editor.open(f"/admin/khalti/payments/?q={found_by}")
    editor.press_element(editor.find("td.title a"))
    editor.press_element(editor.find("main .listing a[href*='/khalti/payments/']"))


def test_a_key_is_entered_tested_and_never_shown_again(browser: Browser) -> None:
    """By an administrator: no default group has the permission."""
    admin = browser.log_in("admin")
    admin.open("/admin/settings/loyalink_khalti/khaltisettings/")
    admin.type("secret_key", KEY)

    admin.press("Test this key")
    assert admin.shows("Khalti accepts the key live_…ee00")
    admin.press("Save")

    assert admin.shows("entered here")
    assert KEY not in admin.driver.page_source
    admin.picture("desk-khalti")


def test_the_example_follows_the_rate_while_it_is_typed(editor: Browser) -> None:
    editor.open("/admin/settings/loyalink_khalti/loyaltysettings/")
    assert editor.shows("199 points")

    editor.type("points", "2")
    assert editor.shows("399 points")
    editor.picture("desk-loyalty")
    editor.press("Save")

    assert editor.shows("This applies to new orders from now on")


def test_an_invalid_rule_is_refused_and_the_example_shows_the_error_while_it_is_typed(editor: Browser) -> None:
    editor.open("/admin/settings/loyalink_khalti/loyaltysettings/")

    editor.type("per", "0")
    editor.until(lambda: "399 points" not in editor.text and "199 points" not in editor.text)
    editor.press("Save")

    assert editor.shows("could not be saved due to errors")
    assert editor.find(".lk-error").text


def test_a_campaign_is_tried_on_an_order_and_saved(editor: Browser) -> None:
    editor.open("/admin/khalti/campaigns/add/")
    editor.type("name", "Dashain")
    year = date.today().year + 1  # noqa: DTZ011 - any future day
    editor.type("starts_at", f"{year}-10-01 00:00")
    editor.type("ends_at", f"{year}-10-16 00:00")
    editor.type("multiplier", "2")
    assert editor.shows("from this campaign")
    editor.picture("desk-campaign")
    editor.press("Save")

    assert editor.shows("Dashain")
    editor.open("/admin/khalti/campaigns/")
    assert editor.shows("scheduled")
    editor.picture("desk-campaigns")


def test_a_partial_refund_moves_money_and_points(store: Store, editor: Browser) -> None:
    pidx = buy(store, "sita@example.com", points="500")
    before = store.points("sita@example.com")
    open_payment(editor, order_of(store, pidx))
    editor.picture("desk-payment")

    editor.press("Partial refund")
    editor.type("amount", "1000")
    editor.press("Preview refund")
    assert editor.shows("Refund Rs 980.00")
    editor.picture("desk-refund")
    editor.press("Refund Rs 980.00")

    assert editor.shows("Khalti has refunded Rs 980.00. Points returned: 200")
    assert store.khalti.payment(pidx).refunded == 98_000
    assert store.points("sita@example.com") > before
    assert store.audit()["ok"]


def test_a_flag_is_found_on_the_dashboard_and_resolved_with_a_reason(store: Store, editor: Browser) -> None:
    buy(store, "gita@example.com", takes="wrong_amount")
    editor.open("/admin/")
    assert editor.shows("needs review")
    editor.picture("desk-home")

    editor.press("Review payments")
    assert editor.shows(str(REASONS[FlagReason.AMOUNT_MISMATCH]))
    editor.picture("desk-review")
    editor.open("/admin/khalti/payments/?needs_review=true")
    editor.picture("desk-payments")
    editor.press_element(editor.find("td.title a"))
    editor.picture("desk-order")
    editor.press("Review the payment")
    editor.press("Review")
    editor.choose("resolution", "accept")
    editor.type("reason", "A rupee is ours to lose.")
    editor.picture("desk-flag")
    editor.press("Preview")
    assert editor.shows("and the order is placed")
    editor.press("Confirm")

    assert editor.shows("is resolved. The payment is now: Paid.")
    assert editor.shows("A rupee is ours to lose.")
    assert store.audit()["ok"]


def test_points_are_adjusted_after_a_preview(store: Store, editor: Browser) -> None:
    before = store.points("ram@example.com")
    editor.open("/admin/khalti/members/")
    editor.picture("desk-members")
    editor.open("/admin/khalti/members/?q=ram")
    editor.press_element(editor.find("td.title a"))
    editor.picture("desk-member")

    editor.press("Adjust points")
    editor.type("points", "150")
    editor.type("reason", "Goodwill")
    editor.press("Preview")
    assert editor.shows("+150 points will be added")
    editor.picture("desk-adjust")
    editor.press("Add 150 points")

    assert editor.shows("Adjusted: Goodwill")
    assert store.points("ram@example.com") == before + 150
    assert store.audit()["ok"]


REPORTS = {
    "movement": "Points and liability",
    "ageing": "Points ageing",
    "settlement": "Settlement by day",
    "takings": "Takings",
    "adjustments": "Adjustments",
    "review": "Payments to review",
}


def test_every_report_is_shown_and_exported(store: Store, editor: Browser) -> None:
    buy(store, "ram@example.com")
    cookies = {cookie["name"]: cookie["value"] for cookie in editor.driver.get_cookies()}
    for name, title in REPORTS.items():
        editor.open(f"/admin/khalti/reports/{name}/")

        assert title in editor.text
        assert not editor.driver.find_elements(By.CSS_SELECTOR, "svg script")
        if name != "review":  # its picture is made with a flag
            editor.picture(f"desk-report-{name}")

        sent = requests.get(f"{editor.driver.current_url}?export=csv", cookies=cookies, timeout=30)
        assert (sent.status_code, sent.headers["Content-Type"]) == (200, "text/csv")


def test_no_page_of_the_editors_leads_to_djangos_own_admin(editor: Browser) -> None:
    editor.open("/admin/")

    links = [link.get_attribute("href") or "" for link in editor.driver.find_elements(By.TAG_NAME, "a")]

    assert links
    assert not [link for link in links if "/django-admin/" in link]
