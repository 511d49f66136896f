"""``kill -9`` of the server at any moment of a purchase: after one ``khalti_reconcile`` all books agree."""

import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
import requests

from loyalink_khalti.payments.models import Payment, Refund
from tests.stories.agreeing import disagreements
from tests.stories.buying import JOURNAL, at_khalti, guest_who_paid, order, paid
from tests.stories.held_mail import gate
from tests.stories.running import Store, open_page
from tests.stories.shopper import Shopper

pytestmark = [pytest.mark.money, pytest.mark.timeout(240)]

SITA = "sita@example.com"
FOREVER = 3600  # seconds


@pytest.fixture(scope="module")
def store(store: Store) -> Store:
    store.start_anew(workers=1, threads=4, DJANGO_SETTINGS_MODULE="tests.stories.settings")
    return store


@pytest.fixture
def sita(store: Store) -> Shopper:
    return store.shopper(SITA)


def dies(store: Store, work: Callable[[], object], seen: Callable[[], object]) -> None:
    """Kill the server once something was ``seen`` of the ``work`` that a browser waits for."""
    with ThreadPoolExecutor(1) as browser:
        visit: Future[object] = browser.submit(work)
        assert seen()
        store.kill()
        with pytest.raises(requests.RequestException):
            visit.result()


def come_to_rest(store: Store) -> None:
    """The server is there again, ten minutes have gone by, and the reconciler has run once."""
    store.khalti.clear_faults()
    store.start(workers=1, threads=4)
    store.let_time_pass()
    store.reconcile_here()


@pytest.mark.parametrize("heard", [False, True], ids=["not yet", "already"])
def test_while_khalti_is_asked_for_a_page(store: Store, sita: Shopper, heard: bool) -> None:
    """B05: nobody was given a payment_url, so the goods go back into the basket, which can be bought again."""
    sita.add(JOURNAL)
    preview = sita.choose(sita.check_out(), "khalti", points="100")
    asked = store.khalti.count("initiate")
    store.khalti.fault("hang", where="initiate", seconds=FOREVER, after=heard)

    dies(
        store,
        lambda: sita.place_order(preview),
        lambda: store.khalti.wait_for("initiate", times=asked + 1),
    )
    come_to_rest(store)

    assert disagreements(store) == []
    assert Payment.objects.latest("pk").state == "released"
    again = sita.place_order(sita.choose(sita.check_out(), "khalti", points="100"))
    assert sita.pay(again.url).url.endswith("/shop/checkout/thank-you/")
    assert disagreements(store) == []


def test_when_khalti_has_just_given_out_a_page(store: Store, sita: Shopper) -> None:
    page = order(sita, points="100")
    payment = at_khalti(page)

    store.kill()
    sita.pay(page.url, follow=False)
    come_to_rest(store)

    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert disagreements(store) == []


def test_when_somebody_has_just_paid(store: Store, sita: Shopper) -> None:
    """B04"""
    back = paid(sita, points="100")

    store.kill()
    come_to_rest(store)

    assert Payment.objects.latest("pk").state == "fulfilled"
    assert sita.open(back).url.endswith("/shop/checkout/thank-you/")
    assert disagreements(store) == []


@pytest.mark.parametrize("heard", [False, True], ids=["not yet", "already"])
def test_while_khalti_is_asked_what_became_of_a_payment(store: Store, sita: Shopper, heard: bool) -> None:
    """B03"""
    back = paid(sita, points="100")
    payment = Payment.objects.latest("pk")
    store.khalti.fault("hang", where="lookup", seconds=FOREVER, after=heard)

    dies(store, lambda: sita.open(back), lambda: store.khalti.wait_for("lookup", payment.pidx))
    come_to_rest(store)

    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert disagreements(store) == []


@pytest.mark.parametrize("heard", [False, True], ids=["not yet", "already"])
def test_while_khalti_is_asked_to_give_money_back(store: Store, sita: Shopper, heard: bool) -> None:
    """B06: it is never sent again by itself; of a refund of all, lookup tells whether it was made."""
    back = paid(sita, points="100")
    assert sita.open(back).url.endswith("/shop/checkout/thank-you/")
    payment = Payment.objects.select_related("purchase").latest("pk")
    staff = store.shopper("admin@example.com")
    page = staff.open(f"/shop/dashboard/orders/{payment.purchase.number}/")
    amount = str(payment.purchase.frozen_cart.goods // 100)
    preview = staff.submit(page, "seen", refund="preview", amount=amount)
    store.khalti.fault("hang", where="refund", seconds=FOREVER, after=heard)

    dies(
        store,
        lambda: staff.submit(preview, "key", refund="confirm"),
        lambda: store.khalti.wait_for("refund", payment.transaction_id),
    )
    come_to_rest(store)

    assert disagreements(store) == []
    assert store.khalti.count("refund", payment.transaction_id) == 1
    refund, books = Refund.objects.get(payment=payment), store.khalti.payment(str(payment.pidx))
    assert (refund.state, books.refunded) == (("done", payment.amount) if heard else ("unknown", 0))


def test_while_a_mail_is_being_sent(store: Store) -> None:
    """B09: the money is written; the mail is sent by the next to look."""
    with gate(store.folder) as pipe:
        back = guest_who_paid(store, "mailing")
        with ThreadPoolExecutor(1) as browser:
            visit = browser.submit(open_page, back)
            with pipe.open("wb"):  # opens once the mail waits at the gate
                store.kill()
            answer = visit.exception()  # none where mails leave after the answer
    come_to_rest(store)

    assert answer is None or isinstance(answer, requests.RequestException)
    assert Payment.objects.latest("pk").state == "fulfilled"
    assert store.wait_for_mails("mailing@example.com", 1) == 1
    assert disagreements(store) == []


def buy_until_the_end(store: Store, begun: Event) -> None:
    """Buy, pay and come back, as far as there is a store."""
    try:
        guest = store.shopper()
        guest.add(JOURNAL)
        preview = guest.choose(guest.check_out(email="unlucky@example.com"), "khalti")
        begun.set()
        guest.pay(guest.place_order(preview).url)
    except requests.RequestException:
        return


def any_moment(seed: int) -> float:
    """Seconds; a purchase takes half of one from "place order" to the thank-you page."""
    return random.Random(seed).uniform(0, 0.7)


def killed_after(store: Store, seconds: float) -> None:
    begun = Event()
    with ThreadPoolExecutor(1) as browser:
        shopping = browser.submit(buy_until_the_end, store, begun)
        assert begun.wait(30)
        Event().wait(seconds)  # no event tells of the moments between two others
        store.kill()
        shopping.result()
    come_to_rest(store)


@pytest.mark.parametrize("seed", range(3))
def test_at_any_moment(store: Store, seed: int) -> None:
    """B03, B05"""
    killed_after(store, any_moment(seed))

    assert disagreements(store) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_at_each_of_sixty_moments(store: Store) -> None:
    """B03, B05"""
    for seed in range(3, 63):
        killed_after(store, any_moment(seed))

        assert disagreements(store) == [], seed
