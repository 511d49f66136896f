"""How customers use their browsers while they pay: other tabs, other browsers, no cookies, the back button."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from oscar.core.loading import get_model

from loyalink_khalti.payments.models import Payment
from tests.stories.browser_session import BrowserSession, Page
from tests.stories.comparison import disagreements
from tests.stories.ordering import JOURNAL, at_khalti, order
from tests.stories.running_store import Store, open_page

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled, pytest.mark.timeout(240)]

THANKS = "/shop/checkout/thank-you/"
CARDS = "Dashain cards"


@pytest.fixture
def gita(store: Store) -> BrowserSession:
    return store.browser("gita@example.com")


def another_tab(browser: BrowserSession) -> BrowserSession:
    """Return another tab of the same browser, with the same cookies."""
    tab = BrowserSession(browser.store)
    tab.session.cookies.update(browser.session.cookies)
    return tab


def pays(browser: BrowserSession, page: Page) -> tuple[Payment, str]:
    """Pay, without returning; return the payment and the return address."""
    return at_khalti(page), browser.pay(page.url, follow=False).url


def placed(payment: Payment) -> Any:
    """Return the shop's order of a payment."""
    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    return get_model("order", "Order").objects.get(number=payment.purchase.ref)


@pytest.mark.parametrize("email", ["gita@example.com", ""], ids=["member", "guest"])
def test_a_customer_who_goes_back_and_places_the_order_again_does_not_pay_twice(store: Store, email: str) -> None:
    """A19"""
    customer = store.browser(email)
    customer.add(JOURNAL)
    preview = customer.choose(customer.check_out(email="" if email else "again@example.com"), "khalti")
    page = customer.place_order(preview)
    payment, back = pays(customer, page)
    initiated = store.khalti.count("initiate")

    before_return = customer.place_order(preview)
    customer.open(back)
    after_return = customer.place_order(preview)

    assert before_return.url == page.url
    assert after_return.url == THANKS
    assert store.khalti.count("initiate") == initiated
    assert placed(payment).status == "Paid"
    assert disagreements(store) == []


def test_two_tabs_that_return_at_once_see_one_order(store: Store, gita: BrowserSession) -> None:
    """A07"""
    payment, back = pays(gita, order(gita))
    tabs = [gita, another_tab(gita)]

    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(lambda tab: tab.open(back), tabs))
    later = [tab.open(back) for tab in tabs]

    number = placed(payment).number
    assert {page.status for page in pages} == {200}
    assert [page.url.endswith(THANKS) and number in page.visible_text for page in later] == [True, True]
    assert disagreements(store) == []


def test_a_return_in_another_browser_shows_paid_and_no_personal_data(store: Store, gita: BrowserSession) -> None:
    """J01: for example paid on a phone, by the link of a laptop."""
    payment, back = pays(gita, order(gita))

    phone = open_page(back)

    number = placed(payment).number
    assert (phone.status_code, "/khalti/status/" in phone.url) == (200, True)
    assert "Paid. Thank you!" in phone.text
    assert number in phone.text
    assert [text for text in ("Maya", "Shrestha", "gita@", JOURNAL) if text in phone.text] == []
    assert gita.open(back).url.endswith(THANKS)


def test_a_customer_who_logs_out_during_the_lookup_has_an_order_and_a_friendly_page(
    store: Store, gita: BrowserSession
) -> None:
    """J02"""
    payment, back = pays(gita, order(gita))
    store.khalti.fault("hang", where="lookup", seconds=1, pidx=payment.pidx)
    tab = another_tab(gita)

    with ThreadPoolExecutor(1) as browser:
        visit = browser.submit(lambda: gita.open(back))
        assert store.khalti.wait_for("lookup", payment.pidx)
        tab.open("/shop/accounts/logout/")
        page = visit.result()

    assert (page.status, "Paid. Thank you!" in page.visible_text) == (200, True)
    assert placed(payment).status == "Paid"
    assert gita.open(back).status == 200
    assert disagreements(store) == []


def test_a_browser_that_returns_without_cookies_has_its_order(store: Store) -> None:
    """J07: SameSite=Strict, or deleted cookies."""
    guest = store.browser()
    payment, back = pays(guest, order(guest, email="strict@example.com"))
    kept = guest.session.cookies.copy()

    guest.session.cookies.clear()
    without = guest.open(back)
    guest.session.cookies.update(kept)
    after_return = guest.open(back)

    assert (without.status, "Paid. Thank you!" in without.visible_text) == (200, True)
    assert placed(payment).status == "Paid"
    assert after_return.url.endswith(THANKS)
    assert disagreements(store) == []


def test_a_product_added_after_place_order_is_not_in_the_order(store: Store, gita: BrowserSession) -> None:
    """D04"""
    page = order(gita)
    frozen = at_khalti(page).amount
    tab = another_tab(gita)
    tab.add(CARDS, 3)

    payment, back = pays(gita, page)
    thanks = gita.open(back)

    bought = placed(payment)
    assert thanks.url.endswith(THANKS)
    assert (payment.amount, payment.captured, bought.total_incl_tax * 100) == (frozen, frozen, frozen)
    assert [(line.title.startswith(JOURNAL), line.quantity) for line in bought.lines.all()] == [(True, 1)]
    assert CARDS in gita.open("/shop/basket/").visible_text
    assert disagreements(store) == []


def unpublish(product: Any) -> None:
    product.is_public = False
    product.save()


def delete_the_price(product: Any) -> None:
    product.stockrecords.all().delete()


def delete(product: Any) -> None:
    product.delete()


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (unpublish, "Tihar cards"),
        (delete_the_price, "Red gift envelopes"),
        (delete, "Lokta photo album"),
    ],
)
def test_products_that_change_or_vanish_during_the_payment_are_sold_as_they_were(
    store: Store, change: Callable[[Any], None], title: str
) -> None:
    """E04"""
    guest = store.browser()
    guest.add(title)
    page = guest.place_order(guest.choose(guest.check_out(email="vanishing@example.com"), "khalti"))
    change(get_model("catalogue", "Product").objects.get(title__startswith=title))

    payment, back = pays(guest, page)
    thanks = guest.open(back)

    bought = placed(payment)
    assert (thanks.status, thanks.url.endswith(THANKS)) == (200, True)
    assert [line.title.startswith(title) for line in bought.lines.all()] == [True]
    assert bought.total_incl_tax * 100 == payment.captured
    assert disagreements(store) == []
