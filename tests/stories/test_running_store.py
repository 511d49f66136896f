"""Whole purchases in the running store: gunicorn with two workers of eight threads, and a simulated Khalti."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.stories.browser_session import BrowserSession, Page
from tests.stories.endless import ENDLESS, processor_seconds, send_endless_line
from tests.stories.running_store import Store, open_page

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled, pytest.mark.timeout(240)]

JOURNAL = "Lokta paper journal"


def order(customer: BrowserSession, method: str = "khalti", *, email: str = "", points: str | None = None) -> Page:
    """Order one journal, up to and including "place order"."""
    customer.add(JOURNAL)
    page = customer.choose(customer.check_out(email=email), method, points=points)
    return customer.place_order(page)


def pidx_in(payment_url: str) -> str:
    return parse_qs(urlsplit(payment_url).query)["pidx"][0]


def payment_of(store: Store, payment_url: str) -> dict[str, object]:
    return next(row for row in store.audit()["payments"] if row["pidx"] == pidx_in(payment_url))


def test_a_member_who_redeems_points_and_pays_has_one_paid_order_one_award_and_one_mail(store: Store) -> None:
    sita = store.browser("sita@example.com")

    at_khalti = order(sita, points="500")
    thanks = sita.pay(at_khalti.url)

    assert thanks.url.endswith("/shop/checkout/thank-you/")
    assert "Rs 2,450.00" in thanks.visible_text
    report = store.audit()
    assert report["ok"], report["violations"]
    paid = payment_of(store, at_khalti.url)
    assert (paid["state"], paid["amount"], paid["captured"]) == ("fulfilled", 245_000, 245_000)
    bought = next(row for row in report["orders"] if row["number"] == paid["order"])
    assert (bought["member"], bought["total"], bought["paid"], bought["status"]) == (
        "sita@example.com", 245_000, 245_000, "Paid",
    )  # fmt: skip
    assert store.points("sita@example.com") == 1200 - 500 + 245
    assert store.wait_for_mails("sita@example.com", 1) == 1


@pytest.mark.parametrize("email", ["gita@example.com", ""], ids=["member", "guest"])
def test_a_customer_who_cancels_at_khalti_returns_to_the_full_basket_and_can_buy_it(store: Store, email: str) -> None:
    customer = store.browser(email)
    guest = "" if email else "cancelling@example.com"
    at_khalti = order(customer, email=guest)

    basket = customer.pay(at_khalti.url, action="cancel")

    assert urlsplit(basket.url).path == "/shop/basket/"
    assert JOURNAL in basket.visible_text
    assert payment_of(store, at_khalti.url)["state"] == "released"
    again = customer.place_order(customer.choose(customer.check_out(email=guest), "khalti"))
    assert customer.pay(again.url).url.endswith("/shop/checkout/thank-you/")
    assert payment_of(store, again.url)["state"] == "fulfilled"
    assert store.audit()["ok"]


def test_a_guest_who_pays_and_closes_the_tab_is_found_by_the_reconciler(store: Store) -> None:
    guest = store.browser()
    at_khalti = order(guest, email="closing@example.com")

    closed = guest.pay(at_khalti.url, follow=False)

    assert "/khalti/return/" in closed.url
    assert payment_of(store, at_khalti.url)["state"] == "initiated"
    assert "1 paid" in store.reconcile()
    assert payment_of(store, at_khalti.url)["state"] == "fulfilled"
    assert store.wait_for_mails("closing@example.com", 1) == 1
    assert store.audit()["ok"]


@pytest.mark.parametrize("method", ["cod", "bank_transfer"])
def test_cash_and_transfers_are_placed_at_once_and_earn_nothing_yet(store: Store, method: str) -> None:
    ram = store.browser("ram@example.com")
    before = store.points("ram@example.com")

    thanks = order(ram, method, points="100")

    assert thanks.url.endswith("/thank-you/")
    report = store.audit()
    newest = [row for row in report["orders"] if row["member"] == "ram@example.com"][-1]
    assert (newest["status"], newest["total"], newest["paid"]) == ("Pending", 249_000, 0)
    assert store.points("ram@example.com") == before - 100
    assert report["ok"], report["violations"]


def test_fifty_concurrent_returns_make_one_order_one_mail_and_no_error(store: Store) -> None:
    """A01."""
    guest = store.browser()
    at_khalti = order(guest, email="fifty@example.com")
    back = guest.pay(at_khalti.url, follow=False).url
    lookups = store.khalti.count("lookup", pidx_in(at_khalti.url))

    with ThreadPoolExecutor(50) as pool:
        pages = list(pool.map(open_page, [back] * 50))

    assert {page.status_code for page in pages} == {200}
    assert payment_of(store, at_khalti.url)["state"] == "fulfilled"
    report = store.audit()
    assert report["ok"], report["violations"]
    assert store.wait_for_mails("fifty@example.com", 1) == 1
    assert store.khalti.count("lookup", pidx_in(at_khalti.url)) - lookups <= 3


def test_twenty_clicks_on_pay_begin_one_payment(store: Store) -> None:
    """A20."""
    guest = store.browser()
    guest.add(JOURNAL)
    preview = guest.choose(guest.check_out(email="clicks@example.com"), "khalti")
    before = len(store.audit()["payments"])

    with ThreadPoolExecutor(20) as pool:
        clicks = list(pool.map(lambda _: guest.place_order(preview), range(20)))

    assert {click.status for click in clicks} == {302}
    at_khalti = {click.url for click in clicks if "pidx=" in click.url}
    others = [click for click in clicks if click.url not in at_khalti]
    assert len(at_khalti) == 1
    # Before Khalti has answered the first click, the others get the status page, which forwards to Khalti's.
    assert all(click.url.startswith("/khalti/status/") for click in others)
    assert len(store.audit()["payments"]) == before + 1
    guest.pay(at_khalti.pop(), action="cancel")


def test_an_endless_request_line_is_refused_at_little_cost(store: Store) -> None:
    """D5"""
    before = processor_seconds(store)

    sent = send_endless_line(store.port)

    assert sent < ENDLESS
    assert processor_seconds(store) - before < 1
    assert open_page(f"{store.url}/healthz").status_code == 200


def test_a_return_with_the_longest_query_that_khalti_sends_is_served(store: Store) -> None:
    """D5: about 400 bytes, and the shop's name with 9 bytes for each letter."""
    guest = store.browser()
    back = guest.pay(order(guest, email="long@example.com").url, follow=False).url

    page = open_page(back + "&purchase_order_name=" + "%E0%A4%B8" * 700)

    assert page.status_code == 200


def test_a_forged_return_changes_nothing(store: Store) -> None:
    """A13, D11."""
    guest = store.browser()
    at_khalti = order(guest, email="forging@example.com")
    back = parse_qs(urlsplit(at_khalti.url).query)["return_url"][0]

    for query in (
        "?status=Completed",
        "?pidx=another-payments&status=Completed",
        "?a=%00&b=%ff%fe",
        "/?status=Completed",
    ):
        page = open_page(back + query)
        assert page.status_code == 200
        assert "Maya" not in page.text
    assert open_page(store.url + "/khalti/return/AAAAAAAAAAAAAAAAAAAAAA/?status=Completed").status_code == 404

    assert payment_of(store, at_khalti.url)["state"] == "initiated"
    guest.pay(at_khalti.url, action="cancel")


def test_a_store_killed_during_a_return_is_consistent_after_one_reconcile(store: Store) -> None:
    """B03, B04: the server is killed during the lookup."""
    gita = store.browser("gita@example.com")
    at_khalti = order(gita)
    back = gita.pay(at_khalti.url, follow=False).url
    store.khalti.fault("hang", where="lookup", times=1, seconds=30)

    with ThreadPoolExecutor(1) as browser:
        visit = browser.submit(lambda: open_page(back))
        assert store.khalti.wait_for("lookup", pidx_in(at_khalti.url))
        store.kill()
        with pytest.raises(Exception, match=r"(?i)connection|remote"):
            visit.result()
    store.khalti.clear_faults()
    store.reconcile()
    store.start()

    assert payment_of(store, at_khalti.url)["state"] == "fulfilled"
    report = store.audit()
    assert report["ok"], report["violations"]
    assert store.audit_command() == report
    assert open_page(back).status_code == 200
