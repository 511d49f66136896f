"""What shoppers do with their browsers while they pay: other tabs, other browsers, no cookies, the back button."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from oscar.core.loading import get_model

from loyalink_khalti.payments.models import Payment
from tests.stories.agreeing import disagreements
from tests.stories.buying import JOURNAL, at_khalti, order
from tests.stories.running import Store, open_page
from tests.stories.shopper import Page, Shopper

pytestmark = [pytest.mark.money, pytest.mark.timeout(240)]

THANKS = "/shop/checkout/thank-you/"
CARDS = "Dashain cards"


@pytest.fixture
def gita(store: Store) -> Shopper:
    return store.shopper("gita@example.com")


def another_tab(browser: Shopper) -> Shopper:
    """Another tab of the same browser: it has the same cookies."""
    tab = Shopper(browser.store)
    tab.session.cookies.update(browser.session.cookies)
    return tab


def pays(browser: Shopper, page: Page) -> tuple[Payment, str]:
    """Pay, and stop before coming back."""
    return at_khalti(page), browser.pay(page.url, follow=False).url


def placed(payment: Payment) -> Any:
    """The order that the payment has paid for, as the shop has it."""
    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    return get_model("order", "Order").objects.get(number=payment.purchase.ref)


@pytest.mark.parametrize("email", ["gita@example.com", ""], ids=["member", "guest"])
def test_who_goes_back_after_paying_and_sends_the_order_again_does_not_pay_twice(store: Store, email: str) -> None:
    """A19"""
    shopper = store.shopper(email)
    shopper.add(JOURNAL)
    preview = shopper.choose(shopper.check_out(email="" if email else "again@example.com"), "khalti")
    page = shopper.place_order(preview)
    payment, back = pays(shopper, page)
    initiated = store.khalti.count("initiate")

    before_coming_back = shopper.place_order(preview)
    shopper.open(back)
    afterwards = shopper.place_order(preview)

    assert before_coming_back.url == page.url
    assert afterwards.url == THANKS
    assert store.khalti.count("initiate") == initiated
    assert placed(payment).status == "Paid"
    assert disagreements(store) == []


def test_two_tabs_that_come_back_at_once_see_one_order(store: Store, gita: Shopper) -> None:
    """A07"""
    payment, back = pays(gita, order(gita))
    tabs = [gita, another_tab(gita)]

    with ThreadPoolExecutor(2) as fingers:
        pages = list(fingers.map(lambda tab: tab.open(back), tabs))
    later = [tab.open(back) for tab in tabs]

    number = placed(payment).number
    assert {page.status for page in pages} == {200}
    assert [page.url.endswith(THANKS) and number in page.words for page in later] == [True, True]
    assert disagreements(store) == []


def test_another_browser_that_comes_back_sees_that_it_is_paid_and_nothing_of_who_paid(
    store: Store, gita: Shopper
) -> None:
    """J01: paid on a phone, say, by the link that a laptop was sent to."""
    payment, back = pays(gita, order(gita))

    phone = open_page(back)

    number = placed(payment).number
    assert (phone.status_code, "/khalti/status/" in phone.url) == (200, True)
    assert "Paid. Thank you!" in phone.text
    assert number in phone.text
    assert [word for word in ("Maya", "Shrestha", "gita@", JOURNAL) if word in phone.text] == []
    assert gita.open(back).url.endswith(THANKS)


def test_who_logs_out_while_khalti_is_asked_has_an_order_and_a_friendly_page(store: Store, gita: Shopper) -> None:
    """J02"""
    payment, back = pays(gita, order(gita))
    store.khalti.fault("hang", where="lookup", seconds=1, pidx=payment.pidx)
    tab = another_tab(gita)

    with ThreadPoolExecutor(1) as browser:
        visit = browser.submit(lambda: gita.open(back))
        assert store.khalti.wait_for("lookup", payment.pidx)
        tab.open("/shop/accounts/logout/")
        page = visit.result()

    assert (page.status, "Paid. Thank you!" in page.words) == (200, True)
    assert placed(payment).status == "Paid"
    assert gita.open(back).status == 200
    assert disagreements(store) == []


def test_a_browser_that_sends_no_cookies_on_the_way_back_has_its_order_all_the_same(store: Store) -> None:
    """J07: SameSite=Strict, or a browser that has forgotten."""
    guest = store.shopper()
    payment, back = pays(guest, order(guest, email="strict@example.com"))
    kept = guest.session.cookies.copy()

    guest.session.cookies.clear()
    without = guest.open(back)
    guest.session.cookies.update(kept)
    afterwards = guest.open(back)

    assert (without.status, "Paid. Thank you!" in without.words) == (200, True)
    assert placed(payment).status == "Paid"
    assert afterwards.url.endswith(THANKS)
    assert disagreements(store) == []


def test_what_is_put_into_the_basket_after_the_click_on_pay_is_not_in_the_order(store: Store, gita: Shopper) -> None:
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
    assert CARDS in gita.open("/shop/basket/").words
    assert disagreements(store) == []


def unpublish(product: Any) -> None:
    product.is_public = False
    product.save()


def forget_the_price(product: Any) -> None:
    product.stockrecords.all().delete()


def delete(product: Any) -> None:
    product.delete()


@pytest.mark.parametrize(
    ("vanishes", "title"),
    [
        (unpublish, "Tihar cards"),
        (forget_the_price, "Red gift envelopes"),
        (delete, "Lokta photo album"),
    ],
)
def test_goods_that_vanish_while_somebody_pays_are_sold_as_they_were(
    store: Store, vanishes: Callable[[Any], None], title: str
) -> None:
    """E04"""
    guest = store.shopper()
    guest.add(title)
    page = guest.place_order(guest.choose(guest.check_out(email="vanishing@example.com"), "khalti"))
    vanishes(get_model("catalogue", "Product").objects.get(title__startswith=title))

    payment, back = pays(guest, page)
    thanks = guest.open(back)

    bought = placed(payment)
    assert (thanks.status, thanks.url.endswith(THANKS)) == (200, True)
    assert [line.title.startswith(title) for line in bought.lines.all()] == [True]
    assert bought.total_incl_tax * 100 == payment.captured
    assert disagreements(store) == []
