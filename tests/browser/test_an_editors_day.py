"""What an editor does in a week, in a real browser and on the running store: all of it in Wagtail.

With ``--pictures`` the pictures of docs/desk.md are made anew on the way.
"""

from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from selenium.webdriver.common.by import By

from tests.browser.conftest import Browser
from tests.stories.running import Store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

KEY = "live_secret_key_0000000000004000800000000c0ffee00"
JOURNAL = "Lokta paper journal"


@pytest.fixture
def editor(browser: Browser) -> Browser:
    return browser.log_in("editor")


def buy(store: Store, email: str, *, points: str | None = None, takes: str = "") -> str:
    """Buy a journal for Rs 2,500 and come back from Khalti; ``takes`` is a fault of its lookup."""
    shopper = store.shopper(email)
    shopper.add(JOURNAL)
    at_khalti = shopper.place_order(shopper.choose(shopper.check_out(), "khalti", points=points)).url
    pidx = parse_qs(urlsplit(at_khalti).query)["pidx"][0]
    if takes:
        store.khalti.fault(takes, where="lookup", pidx=pidx, times=None)
    shopper.pay(at_khalti)
    return pidx


def order_of(store: Store, pidx: str) -> str:
    return str(next(row for row in store.audit()["payments"] if row["pidx"] == pidx)["order"])


def open_payment(editor: Browser, found_by: str) -> None:
    """By the list, as one looks for it."""
    editor.open(f"/admin/khalti/payments/?q={found_by}")
    editor.press_element(editor.find("td.title a"))


def test_the_key_is_entered_tested_and_never_shown_again(editor: Browser) -> None:
    editor.open("/admin/settings/loyalink_khalti/khaltisettings/")
    editor.type("secret_key", KEY)

    editor.press("Test this key")
    assert editor.reads("Khalti knows the key live_…ee00")
    editor.press("Save")

    assert editor.reads("entered here")
    assert KEY not in editor.driver.page_source
    editor.picture("desk-khalti")


def test_the_example_changes_beside_the_rate_that_is_typed(editor: Browser) -> None:
    editor.open("/admin/settings/loyalink_khalti/loyaltysettings/")
    assert editor.reads("199 points")

    editor.type("points", "2")
    assert editor.reads("399 points")
    editor.picture("desk-loyalty")
    editor.press("Save")

    assert editor.reads("This applies to new orders from now on")


def test_nonsense_is_refused_in_words_and_the_example_says_so_while_it_is_typed(editor: Browser) -> None:
    editor.open("/admin/settings/loyalink_khalti/loyaltysettings/")

    editor.type("per", "0")
    editor.until(lambda: "399 points" not in editor.words and "199 points" not in editor.words)
    editor.press("Save")

    assert editor.reads("could not be saved due to errors")
    assert editor.find(".lk-wrong").text


def test_a_campaign_is_tried_on_an_order_saved_and_found_in_the_list(editor: Browser) -> None:
    editor.open("/admin/khalti/campaigns/add/")
    editor.type("name", "Dashain")
    year = date.today().year + 1  # noqa: DTZ011 - any day to come
    editor.type("starts_at", f"{year}-10-01 00:00")
    editor.type("ends_at", f"{year}-10-16 00:00")
    editor.type("multiplier", "2")
    editor.picture("desk-campaign")
    editor.press("Save")

    assert editor.reads("Dashain")
    editor.open("/admin/khalti/campaigns/")
    assert editor.reads("scheduled")
    editor.picture("desk-campaigns")


def test_a_part_of_an_order_is_given_back_with_its_points(store: Store, editor: Browser) -> None:
    pidx = buy(store, "sita@example.com", points="500")
    before = store.points("sita@example.com")
    open_payment(editor, order_of(store, pidx))
    editor.picture("desk-payment")

    editor.press("Give back a part")
    editor.type("amount", "1000")
    editor.press("See what this gives back")
    assert editor.reads("Give Rs 980.00 back")
    editor.picture("desk-refund")
    editor.press("Give Rs 980.00 back")

    assert editor.reads("Khalti has given Rs 980.00 back; 200 points came back")
    assert store.khalti.payment(pidx).refunded == 98_000
    assert store.points("sita@example.com") > before
    assert store.audit()["ok"]


def test_a_flag_is_found_on_the_first_page_and_answered_with_a_reason(store: Store, editor: Browser) -> None:
    buy(store, "gita@example.com", takes="wrong_amount")
    editor.open("/admin/")
    assert editor.reads("waits for a decision")
    editor.picture("desk-home")

    editor.press("See what may be decided")
    assert editor.reads("Khalti took another amount than was asked for.")
    editor.picture("desk-attention")
    editor.open("/admin/khalti/payments/?needs_you=true")
    editor.picture("desk-payments")
    editor.press_element(editor.find("td.title a"))
    editor.press("Decide")
    editor.choose("decision", "accept")
    editor.type("reason", "A rupee is ours to lose.")
    editor.picture("desk-flag")
    editor.press("Do this")

    assert editor.reads("is answered. The payment is: Paid.")
    assert editor.reads("A rupee is ours to lose.")
    assert store.audit()["ok"]


def test_points_are_adjusted_with_a_reason_once_it_is_seen_what_comes_of_it(store: Store, editor: Browser) -> None:
    before = store.points("ram@example.com")
    editor.open("/admin/khalti/members/")
    editor.picture("desk-members")
    editor.open("/admin/khalti/members/?q=ram")
    editor.press_element(editor.find("td.title a"))
    editor.picture("desk-member")

    editor.press("Adjust points")
    editor.type("points", "150")
    editor.type("reason", "Goodwill")
    editor.press("Show what comes of it")
    assert editor.reads("+150 points are added")
    editor.picture("desk-adjust")
    editor.press("Add 150 points")

    assert editor.reads("Adjusted: Goodwill")
    assert store.points("ram@example.com") == before + 150
    assert store.audit()["ok"]


REPORTS = {
    "movement": "Points and liability",
    "ageing": "Expiring points",
    "settlement": "Settlement by day",
    "adjustments": "Staff adjustments",
    "attention": "Waiting for a decision",
}


def test_every_report_is_read_and_leaves_as_a_file(store: Store, editor: Browser) -> None:
    buy(store, "ram@example.com")
    cookies = {cookie["name"]: cookie["value"] for cookie in editor.driver.get_cookies()}
    for name, title in REPORTS.items():
        editor.open(f"/admin/khalti/reports/{name}/")

        assert title in editor.words
        assert not editor.driver.find_elements(By.CSS_SELECTOR, "svg script")
        if name != "attention":  # which has its picture where something waits
            editor.picture(f"desk-report-{name}")

        sent = requests.get(f"{editor.driver.current_url}?export=csv", cookies=cookies, timeout=30)
        assert (sent.status_code, sent.headers["Content-Type"]) == (200, "text/csv")


def test_no_page_of_the_editors_leads_to_djangos_own_admin(editor: Browser) -> None:
    editor.open("/admin/")

    links = [link.get_attribute("href") or "" for link in editor.driver.find_elements(By.TAG_NAME, "a")]

    assert links
    assert not [link for link in links if "/django-admin/" in link]
