"""A customer waits on the status page: news come by script, are announced, and nothing is reloaded or taken away."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import Browser
from tests.stories.ordering import at_khalti, order
from tests.stories.running_store import Store

pytestmark = [pytest.mark.same_on_both, pytest.mark.sampled, pytest.mark.timeout(240)]


def test_a_customer_who_waits_hears_the_news_without_a_reload(store: Store, browser: Browser) -> None:
    """T5, T7"""
    guest = store.browser()
    payment = at_khalti(order(guest, email="waits@example.com"))
    store.khalti.pend(payment.pidx or "")
    browser.open("/healthz")
    for cookie in guest.session.cookies:
        browser.driver.add_cookie({"name": cookie.name, "value": str(cookie.value), "path": "/"})

    browser.open(f"/khalti/status/{payment.token}/")
    waiting = browser.driver.title
    browser.driver.execute_script("window.wasHere = true")
    check = browser.find("[data-check]")
    check.send_keys(Keys.ENTER)
    browser.shows("there is no news from Khalti yet")
    store.khalti.complete(payment.pidx or "")
    store.let_time_pass(40)  # no back-off any more

    browser.until(lambda: "Paid. Thank you!" in browser.driver.title)
    say = browser.driver.find_element(By.ID, "lk-say")
    assert "We are confirming your payment" in waiting
    assert browser.driver.execute_script("return window.wasHere")
    assert say.get_attribute("role") == "status"
    assert str(say.get_attribute("textContent")).startswith("Paid. Thank you. Your order is placed.")
    focused = browser.driver.switch_to.active_element
    assert (focused.tag_name, focused.text) == ("h1", "Paid. Thank you!")
    assert browser.find(".lk-actions a").text == "View your order"
