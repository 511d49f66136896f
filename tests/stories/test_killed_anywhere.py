"""``kill -9`` of the server at any moment of a purchase: after one ``khalti_reconcile`` Khalti and the store agree."""

import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
import requests

from loyalink_khalti.payments.models import Payment, Refund
from tests.stories.browser_session import BrowserSession
from tests.stories.comparison import disagreements
from tests.stories.held_mail import gate
from tests.stories.ordering import JOURNAL, at_khalti, guest_who_paid, order, paid
from tests.stories.running_store import Store, open_page

pytestmark = [pytest.mark.money, pytest.mark.postgresql_first, pytest.mark.sampled, pytest.mark.timeout(240)]

SERVER = {"workers": 1, "threads": 4}
SITA = "sita@example.com"
FOREVER = 3600  # seconds


def moments(*, in_every_run: bool) -> pytest.MarkDecorator:
    """Kill before or after Khalti has acted: one in every run, and the other with ``--all``."""
    return pytest.mark.parametrize(
        "answered",
        [
            pytest.param(
                answered,
                id="after" if answered else "before",
                marks=() if answered is in_every_run else pytest.mark.slow,
            )
            for answered in (False, True)
        ],
    )


before, after = moments(in_every_run=False), moments(in_every_run=True)


@pytest.fixture
def sita(store: Store) -> BrowserSession:
    return store.browser(SITA)


def kill_during(store: Store, work: Callable[[], object], reached: Callable[[], object]) -> None:
    """Kill the server when ``work``, for which a browser waits, has ``reached`` a point."""
    with ThreadPoolExecutor(1) as browser:
        visit: Future[object] = browser.submit(work)
        assert reached()
        store.kill()
        with pytest.raises(requests.RequestException):
            visit.result()


def recover(store: Store) -> None:
    """Start the server again, let ten minutes pass, and run the reconciler once."""
    store.khalti.clear_faults()
    store.start(workers=1, threads=4)
    store.let_time_pass()
    store.reconcile_here()


@after
def test_during_an_initiate(store: Store, sita: BrowserSession, answered: bool) -> None:
    """B05: no customer got the payment_url, so the basket is released and can be bought again."""
    sita.add(JOURNAL)
    preview = sita.choose(sita.check_out(), "khalti", points="100")
    initiates = store.khalti.count("initiate")
    store.khalti.fault("hang", where="initiate", seconds=FOREVER, after=answered)

    kill_during(
        store,
        lambda: sita.place_order(preview),
        lambda: store.khalti.wait_for("initiate", times=initiates + 1),
    )
    recover(store)

    assert disagreements(store) == []
    assert Payment.objects.latest("pk").state == "released"
    again = sita.place_order(sita.choose(sita.check_out(), "khalti", points="100"))
    assert sita.pay(again.url).url.endswith("/shop/checkout/thank-you/")
    assert disagreements(store) == []


def test_right_after_an_initiate(store: Store, sita: BrowserSession) -> None:
    page = order(sita, points="100")
    payment = at_khalti(page)

    store.kill()
    sita.pay(page.url, follow=False)
    recover(store)

    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert disagreements(store) == []


def test_right_after_a_payment(store: Store, sita: BrowserSession) -> None:
    """B04"""
    back = paid(sita, points="100")

    store.kill()
    recover(store)

    assert Payment.objects.latest("pk").state == "fulfilled"
    assert sita.open(back).url.endswith("/shop/checkout/thank-you/")
    assert disagreements(store) == []


@before
def test_during_a_lookup(store: Store, sita: BrowserSession, answered: bool) -> None:
    """B03"""
    back = paid(sita, points="100")
    payment = Payment.objects.latest("pk")
    store.khalti.fault("hang", where="lookup", seconds=FOREVER, after=answered)

    kill_during(store, lambda: sita.open(back), lambda: store.khalti.wait_for("lookup", payment.pidx))
    recover(store)

    payment.refresh_from_db()
    assert payment.state == "fulfilled"
    assert disagreements(store) == []


@after
def test_during_a_refund(store: Store, sita: BrowserSession, answered: bool) -> None:
    """B06: it is never sent again automatically; lookup reports whether a full refund was made."""
    back = paid(sita, points="100")
    assert sita.open(back).url.endswith("/shop/checkout/thank-you/")
    payment = Payment.objects.select_related("purchase").latest("pk")
    staff = store.browser("admin@example.com")
    page = staff.open(f"/shop/dashboard/orders/{payment.purchase.number}/")
    amount = str(payment.purchase.frozen_cart.subtotal // 100)
    preview = staff.submit(page, "seen_refund", refund="preview", amount=amount)
    store.khalti.fault("hang", where="refund", seconds=FOREVER, after=answered)

    kill_during(
        store,
        lambda: staff.submit(preview, "key", refund="confirm"),
        lambda: store.khalti.wait_for("refund", payment.transaction_id),
    )
    recover(store)

    assert disagreements(store) == []
    assert store.khalti.count("refund", payment.transaction_id) == 1
    refund, at_khalti_now = Refund.objects.get(payment=payment), store.khalti.payment(str(payment.pidx))
    assert (refund.state, at_khalti_now.refunded) == (("done", payment.amount) if answered else ("unknown", 0))


def test_while_a_mail_is_being_sent(store: Store) -> None:
    """B09: the money is recorded; the mail is sent by the next pass."""
    with gate(store.folder) as pipe:
        back = guest_who_paid(store, "mailing")
        with ThreadPoolExecutor(1) as browser:
            visit = browser.submit(open_page, back)
            with pipe.open("wb"):  # opens when the mail waits at the gate
                store.kill()
            answer = visit.exception()  # none where mails are sent after the response
    recover(store)

    assert answer is None or isinstance(answer, requests.RequestException)
    assert Payment.objects.latest("pk").state == "fulfilled"
    assert store.wait_for_mails("mailing@example.com", 1) == 1
    assert disagreements(store) == []


def buy_ignoring_errors(store: Store, started: Event) -> None:
    """Buy, pay and return, until the store is killed."""
    try:
        guest = store.browser()
        guest.add(JOURNAL)
        preview = guest.choose(guest.check_out(email="unlucky@example.com"), "khalti")
        started.set()
        guest.pay(guest.place_order(preview).url)
    except requests.RequestException:
        return


def any_moment(seed: int) -> float:
    """Return seconds; a purchase takes half a second from "place order" to the thank-you page."""
    return random.Random(seed).uniform(0, 0.7)


def kill_after(store: Store, seconds: float) -> None:
    started = Event()
    with ThreadPoolExecutor(1) as browser:
        shopping = browser.submit(buy_ignoring_errors, store, started)
        assert started.wait(30)
        Event().wait(seconds)  # a moment between two events
        store.kill()
        shopping.result()
    recover(store)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_at_any_moment(store: Store, seed: int) -> None:
    """B03, B05"""
    kill_after(store, any_moment(seed))

    assert disagreements(store) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_at_each_of_sixty_moments(store: Store) -> None:
    """B03, B05"""
    for seed in range(3, 63):
        kill_after(store, any_moment(seed))

        assert disagreements(store) == [], seed
