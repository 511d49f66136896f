"""The store below a path of its host, as gunicorn serves it with ``SCRIPT_NAME``."""

import email
import re
from email import policy
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest

from tests.stories.browser_session import PASSWORD, BrowserSession, Page
from tests.stories.ordering import order
from tests.stories.running_store import Store

pytestmark = [pytest.mark.slow, pytest.mark.money, pytest.mark.same_on_both, pytest.mark.timeout(240)]

SERVER = {"path": "/pasal", "workers": 1, "threads": 4}


def addresses_on(page: Page) -> set[str]:
    """Return every address of the store's own host that a page links to, loads or sends a form to."""
    found = {
        urldefrag(urljoin(page.url, str(tag[name]))).url
        for tag in page.soup.find_all(True)
        for name in ("href", "src", "action")
        if tag.get(name)
    }
    return {address for address in found if urlsplit(address).netloc == urlsplit(page.url).netloc}


def outside(store: Store, page: Page) -> set[str]:
    return {address for address in addresses_on(page) if not f"{address}/".startswith(f"{store.url}/")}


def staff(store: Store) -> BrowserSession:
    browser = store.browser()
    page = browser.submit(browser.open("/admin/login/"), username="admin", password=PASSWORD)
    assert page.url == f"{store.url}/admin/", page.url
    return browser


def mail_to(store: Store, address: str) -> str:
    """Return the text of the only mail to an address."""
    (file,) = [file for file in (store.folder / "mail").glob("*") if f"To: {address}" in file.read_text()]
    message = email.message_from_bytes(file.read_bytes(), policy=policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_the_checks_find_nothing_wrong(store: Store) -> None:
    """H2: E022 was false and stopped every command."""
    done = store.manage("check", "--database", "default")

    assert (done.returncode, "no issues" in done.stdout) == (0, True), done.stderr


def test_a_member_pays_at_khalti_and_returns_to_the_thank_you_page(store: Store) -> None:
    """H2: with the path in SITE_URL the customer returned to a page that does not exist."""
    sita = store.browser("sita@example.com")

    thanks = sita.pay(order(sita, points="500").url)

    assert thanks.url == f"{store.url}/shop/checkout/thank-you/"
    assert "Rs 2,450.00" in thanks.visible_text
    assert sita.open("/shop/accounts/points/").status == 200


def test_a_closed_tab_is_settled_by_a_pass_whose_mail_links_to_pages_that_exist(store: Store) -> None:
    """H2"""
    guest = store.browser()
    guest.pay(order(guest, email="path@example.com").url, follow=False)
    store.let_time_pass()

    store.reconcile()
    assert store.wait_for_mails("path@example.com", 1) == 1
    links = re.findall(r"http://[^\s]+", mail_to(store, "path@example.com"))

    assert len(links) >= 2
    assert all(link == store.url or link.startswith(f"{store.url}/") for link in links), links
    assert {guest.open(link).status for link in links} == {200}
    report = store.audit()
    assert report["ok"], report["violations"]


def test_a_pending_payment_is_continued_and_cancelled_from_the_bar(store: Store) -> None:
    """H2"""
    guest = store.browser()
    order(guest, email="bar@example.com")

    catalogue = guest.open("/shop/catalogue/")
    basket = guest.submit(catalogue, "csrfmiddlewaretoken")  # the bar is at the top of the page

    assert outside(store, catalogue) == set()
    assert basket.url == f"{store.url}/shop/basket/"


PAGES = (
    "/", "/points/", "/shop/catalogue/", "/shop/basket/", "/shop/accounts/login/", "/sandbox/mail/",
    "/khalti/status/none/",
)  # fmt: skip
STAFF_PAGES = (
    "/admin/", "/admin/khalti/payments/", "/shop/dashboard/", "/shop/dashboard/orders/", "/django-admin/",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_pages_for_customers_link_to_nothing_outside_the_path(store: Store, path: str) -> None:
    """H2"""
    browser = store.browser()

    page = browser.open(path)

    assert page.status == (404 if "none" in path else 200)
    assert outside(store, page) == set()
    files = {address for address in addresses_on(page) if "/static/" in address or "/media/" in address}
    assert {browser.open(file).status for file in files} <= {200}


def test_pages_for_staff_link_to_nothing_outside_the_path_and_their_files_are_served(store: Store) -> None:
    """H2"""
    browser = staff(store)
    pages = [browser.open(path) for path in STAFF_PAGES]
    files = {address for page in pages for address in addresses_on(page) if "/static/" in address}

    assert [page.status for page in pages] == [200] * len(pages)
    assert [outside(store, page) for page in pages] == [set()] * len(pages)
    assert {browser.open(file).status for file in files} == {200}
