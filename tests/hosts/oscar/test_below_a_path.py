"""A shop that is served below a path (``FORCE_SCRIPT_NAME``): what customers, staff and mails link to."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import clear_script_prefix, set_script_prefix
from django.utils import timezone
from pytest_django import Settings

from loyalink_khalti import flow
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Page, Store, only_order, payment_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both]

ORIGIN = "http://127.0.0.1:8000"


@pytest.fixture(params=[ORIGIN, f"{ORIGIN}/pasal"], ids=["SITE_URL without the path", "with the path"])
def below_a_path(request: pytest.FixtureRequest, khalti: Simulator, settings: Settings) -> Iterator[None]:
    settings.FORCE_SCRIPT_NAME = "/pasal"
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SITE_URL": request.param}
    set_script_prefix("/pasal")  # Django does it for each request, its test client does not
    yield
    clear_script_prefix()


def follow(browser: Client, address: str) -> Page:
    """Open a public address as a browser would, and where it redirects to: a proxy removes the path."""
    while True:
        path = address.removeprefix(ORIGIN)
        assert path.startswith("/pasal/"), address
        page = browser.get(path.removeprefix("/pasal"))
        if page.status_code != 302:
            return page
        address = page["Location"]


def links(text: str) -> list[str]:
    return re.findall(rf"{ORIGIN}[^\s\"'<>]*", text)


def test_a_customer_pays_returns_and_sees_the_order(
    below_a_path: None, store: Store, guest: Customer, khalti: Simulator
) -> None:
    """H2: with the path in SITE_URL it was there twice."""
    payment = payment_of(guest.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    (back,) = khalti.return_urls(payment.pidx or "")

    page = follow(guest.browser, back)

    assert back.startswith(f"{ORIGIN}/pasal/khalti/return/{payment.token}/?")
    assert page.resolver_match.view_name == "checkout:thank-you"
    assert only_order().status == "Paid"


def test_the_pending_bar_leads_to_pages_that_exist(
    below_a_path: None, store: Store, guest: Customer, khalti: Simulator
) -> None:
    """H2"""
    payment = payment_of(guest.buy(store.notebook))

    page = guest.browser.get("/shop/catalogue/").content.decode()
    bar = page[page.index('class="lk-pending"') : page.index("</aside>")]
    addresses = re.findall(r'(?:href|action)="([^"]+)"', bar)
    cancelled = guest.browser.post(addresses[1].removeprefix("/pasal"))

    pages = ("pay", "cancel", "status")
    assert addresses == [f"/pasal/khalti/{page}/{payment.token}/" for page in pages]
    assert follow(guest.browser, cancelled["Location"]).resolver_match.view_name == "basket:summary"


def test_mails_of_a_job_that_settles_a_closed_tab_link_to_pages_that_exist(
    below_a_path: None, store: Store, guest: Customer, khalti: Simulator, settings: Settings
) -> None:
    """H2: a thread of a job has no script prefix."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}
    payment = payment_of(guest.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    clear_script_prefix()

    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        list(flow.reconcile())

    set_script_prefix("/pasal")
    assert only_order().status == "Paid"
    (order_mail,) = [each for each in mail.outbox if each.to == [guest.email]]
    found = links(str(order_mail.body))
    assert len(found) == 4  # the shop, the order, a new account of it, the claim of the points
    assert all(address.startswith(f"{ORIGIN}/pasal") and address.count("pasal") == 1 for address in found)
    assert follow(Client(), next(each for each in found if "/order-status" in each)).status_code == 200


@pytest.mark.parametrize("path", ["/shop/dashboard/", "/shop/dashboard/orders/"])
def test_oscars_dashboard_opens_and_its_menu_has_the_path(below_a_path: None, staff: Client, path: str) -> None:
    """H2: Oscar's own menu (4.2) fails below a path."""
    page = staff.get(path)

    assert page.status_code == 200
    assert 'href="/pasal/shop/dashboard/orders/"' in page.content.decode()
    assert 'href="/shop/' not in page.content.decode()
