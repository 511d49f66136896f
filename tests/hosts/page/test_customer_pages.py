"""A customer of pages that sell, from the page to the order: two tabs, changed pages, look-up, mails."""

import re
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings as SettingsWrapper

from loyalink_khalti import conf, flow, outbox
from loyalink_khalti.hosts.common import find_order
from loyalink_khalti.hosts.page import order_access
from loyalink_khalti.hosts.page.events import OrderEvent, happened
from loyalink_khalti.hosts.page.models import Order, OrderStatus, Stock
from loyalink_khalti.mail_rows import SentMail
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator
from tests.hosts.page.conftest import TeaHouse, new_member
from tests.statements import own_statements

pytestmark = pytest.mark.django_db(transaction=True)
BASKET, CHECKOUT, FIND = "/khalti/basket/", "/khalti/checkout/", "/khalti/order/"
RAM = {"name": "Ram Thapa", "email": "ram@example.com", "phone": "९८४१२३४५६७", "payment_method": "khalti"}


@pytest.fixture(autouse=True)
def own_templates(settings: SettingsWrapper) -> None:
    """Leave out the layout of the sandbox's store: it links to Oscar's pages."""
    settings.TEMPLATES = [{**engine, "DIRS": []} for engine in settings.TEMPLATES]
    settings.LOGIN_URL = "/accounts/login/"


def buy(client: Client, page: Any, **data: Any) -> Any:
    """Press "Buy with Khalti" on a page."""
    return client.post(reverse("loyalink_khalti_page:add", args=[page.pk]), {"quantity": "1", **data})


def hidden(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, html
    return found[1]


def form_of(client: Client, **typed: str) -> dict[str, str]:
    """Open the checkout and fill it in."""
    html = client.get(CHECKOUT).content.decode()
    shown = {name: hidden(html, name) for name in ("basket", "expected_due")}
    return {**RAM, **shown, "action": "place", **typed}


def texts(response: Any) -> str:
    """Return what a page says, with the messages of a redirect."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def pay_at(khalti: Simulator, response: Any) -> Payment:
    assert response.status_code == 302, texts(response)
    payment = Payment.objects.get(payment_url=response["Location"])
    khalti.pay(str(payment.pidx))
    return payment


def send_mails() -> None:
    for message in outbox.Message.objects.filter(sent_at=None).order_by("pk"):
        outbox.send(message.pk)


def test_a_guest_pays_comes_back_and_gets_one_order_and_one_mail(house: TeaHouse, khalti: Simulator) -> None:
    """W14"""
    client, trek = Client(), house.trek(rupees=1_500, stock=5)

    assert buy(client, trek)["Location"] == CHECKOUT
    payment = pay_at(khalti, client.post(CHECKOUT, form_of(client)))
    done = client.get(f"/khalti/return/{payment.token}/", follow=True)
    client.get(f"/khalti/return/{payment.token}/", follow=True)

    order = Order.objects.get()
    assert done.request["PATH_INFO"] == f"/khalti/order/{order.number}/"
    assert "Rs 1,500.00" in texts(done)
    assert (order.status, order.paid, order.phone) == (OrderStatus.PAID, 1_500_00, "+9779841234567")
    assert house.left(trek) == 4
    assert "Your basket is empty." in texts(client.get(BASKET))
    send_mails()
    (sent,) = mail.outbox
    assert sent.to == ["ram@example.com"]
    link = re.search(r"http://127.0.0.1:8000(/khalti/order-link/\S+)", str(sent.body))
    assert link
    assert order.number in texts(Client().get(link[1], follow=True))
    with time_machine.travel(order_access.LINK_LIFETIME.total_seconds() + 60 + order.created_at.timestamp()):
        assert Client().get(link[1])["Location"] == FIND


def test_a_cancelled_payment_leaves_basket_and_what_was_typed(house: TeaHouse, khalti: Simulator) -> None:
    """W15"""
    client, trek = Client(), house.trek(stock=5)
    buy(client, trek)
    response = client.post(CHECKOUT, form_of(client, note="Ring twice"))
    payment = Payment.objects.get(payment_url=response["Location"])

    again = client.post(CHECKOUT, form_of(client, note="Ring twice"))  # a second click, or a second tab
    assert again["Location"] == response["Location"]
    khalti.cancel(str(payment.pidx))
    back = client.get(f"/khalti/return/{payment.token}/", follow=True)

    assert back.request["PATH_INFO"] == BASKET
    assert "Nothing was paid" in texts(back)
    assert house.left(trek) == 5
    html = client.get(CHECKOUT).content.decode()
    assert "Ring twice" in html
    assert 'value="Ram Thapa"' in html


def test_nothing_is_ordered_at_another_total_or_for_another_basket_than_the_page_showed(house: TeaHouse) -> None:
    """W16"""
    client, trek = Client(), house.trek(rupees=500, stock=9)
    buy(client, trek)
    old = form_of(client, payment_method="cod")

    trek.price = 700_00
    trek.save_revision().publish()
    repriced = client.post(CHECKOUT, old, follow=True)
    assert "The total is Rs 700.00 now" in texts(repriced)
    for due in ("", "-1", "1e9", "७००००", "50000", "9" * 40):
        client.post(CHECKOUT, form_of(client, payment_method="cod", expected_due=due))
    assert not Order.objects.exists()

    first = form_of(client, payment_method="cod")
    placed = client.post(CHECKOUT, first)
    order = Order.objects.get()
    assert placed["Location"] == f"/khalti/order/{order.number}/"
    assert client.post(CHECKOUT, first)["Location"] == placed["Location"]  # a second click
    buy(client, trek)
    assert client.post(CHECKOUT, first)["Location"] == placed["Location"]  # an older tab: it ordered this
    assert client.post(CHECKOUT, {**first, "basket": "made-up"})["Location"] == BASKET
    assert Order.objects.count() == 1
    assert house.left(trek) == 8


def test_an_older_tab_orders_nothing_that_it_did_not_show_though_the_total_is_the_same(house: TeaHouse) -> None:
    """W30"""
    client, small, large = Client(), house.trek("Small"), house.trek("Large", stock=1)
    buy(client, small)
    old = form_of(client, payment_method="cod")
    buy(client, large)
    client.post(BASKET, {"remove": f"{small.pk}--"})

    assert "No order was placed" in texts(client.post(CHECKOUT, old, follow=True))
    assert not Order.objects.exists()

    looks = []

    def sold_after_the_first_look(execute: Any, sql: str, *more: Any) -> Any:
        if "loyalink_khalti_page_stock" in sql:
            looks.append(sql)
            if len(looks) == 2:
                Stock.objects.update(quantity=0)
        return execute(sql, *more)

    new = form_of(client, payment_method="cod")
    with connection.execute_wrapper(sold_after_the_first_look):
        assert client.post(CHECKOUT, new)["Location"] == BASKET


def test_a_page_that_is_unpublished_or_sold_out_is_named_in_the_basket(house: TeaHouse) -> None:
    """W17"""
    client = Client()
    gone, scarce = house.trek("Gone trek"), house.trek("Scarce trek", stock=3)
    buy(client, gone)
    buy(client, scarce, quantity="3")
    old = form_of(client)

    gone.unpublish()
    scarce_row = f"{scarce.pk}--"
    house.site.root_page.refresh_from_db()
    assert client.post(CHECKOUT, old)["Location"] == BASKET
    page = texts(client.get(BASKET))
    assert "“Gone trek” is not for sale any more." in page
    assert client.get(CHECKOUT)["Location"] == BASKET
    client.post(BASKET, {"remove": f"{gone.pk}--"})
    changed = client.post(BASKET, {f"quantity-{scarce_row}": "५"}, follow=True)
    assert "Of “Scarce trek” only 3 are left." in texts(changed)
    for typed in ("x", "-1", "1.5", "1,000", "\0"):
        client.post(BASKET, {f"quantity-{scarce_row}": typed})
    assert 'value="5"' in client.get(BASKET).content.decode()
    client.post(BASKET, {f"quantity-{scarce_row}": "0"})
    assert "Your basket is empty." in texts(client.get(BASKET))
    assert buy(client, gone).status_code == 404
    assert client.post(f"/khalti/basket/add/{10**30}/").status_code == 404
    assert not Order.objects.exists()


def test_delivery_and_contact_are_checked_at_their_fields_and_the_update_orders_nothing(house: TeaHouse) -> None:
    """W18"""
    client, tea = Client(), house.trek("Tea", rupees=650, needs_delivery=True)
    buy(client, tea)
    pick_up = house.settings.delivery_options[1].id

    refused = client.post(CHECKOUT, form_of(client, email="no address", phone="12", delivery=house.courier))
    updated = client.post(CHECKOUT, form_of(client, delivery=str(pick_up), action="update"))

    assert refused.status_code == 422
    html = refused.content.decode()
    assert all(f'id="lk-{name}_error"' in html for name in ("email", "phone", "address"))
    assert hidden(updated.content.decode(), "expected_due") == "65000"
    assert not Order.objects.exists()


def test_a_member_uses_points_as_they_type_them_and_sees_them_on_the_card(house: TeaHouse, khalti: Simulator) -> None:
    """W19"""
    client, trek, sita = Client(), house.trek(rupees=500), new_member(points=2_000)
    client.force_login(sita, backend="django.contrib.auth.backends.ModelBackend")
    buy(client, trek)

    shown = client.post(CHECKOUT, form_of(client, points="१,०००", action="update")).content.decode()
    too_many = client.post(CHECKOUT, form_of(client, points="9,000"))
    due = hidden(shown, "expected_due")
    payment = pay_at(khalti, client.post(CHECKOUT, form_of(client, points="1,000", expected_due=due)))
    client.get(f"/khalti/return/{payment.token}/", follow=True)

    order = Order.objects.get()
    assert too_many.status_code == 200
    assert "You have 2,000 points." in texts(too_many)
    assert (int(due), order.paid, order.member_id) == (400_00, 400_00, str(sita.pk))
    card = texts(client.get("/khalti/points/"))
    assert order.number in card
    assert flow.points_card(conf.site_key(None), str(sita.pk)).lifetime_redeemed == Points(1_000)
    assert Client().get("/khalti/points/").status_code == 302


def test_the_control_for_points_shows_its_figures_and_offers_the_numbers_that_fit(house: TeaHouse) -> None:
    """T9"""
    client, trek, sita = Client(), house.trek(rupees=500), new_member(points=9_000)
    client.force_login(sita, backend="django.contrib.auth.backends.ModelBackend")
    buy(client, trek)

    all_of_it = client.post(CHECKOUT, {"payment_method": "khalti", "use_points": "5000"})
    refused = client.post(CHECKOUT, form_of(client, points="4,950"))
    kept = client.get(CHECKOUT)

    html = refused.content.decode()
    assert hidden(all_of_it.content.decode(), "expected_due") == "0"
    assert 'aria-describedby="lk-points_helptext lk-points_error"' in html
    assert re.findall(r'name="use_points" value="(\d+)"', html[html.index("lk-points-refusal") :]) == ["4900", "5000"]
    assert 'max="482"' in kept.content.decode()
    assert not Order.objects.exists()


def test_a_guest_makes_an_account_of_an_order_and_finds_it_there(house: TeaHouse, settings: SettingsWrapper) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}
    conf.ask_cache(lambda shared: shared.clear())  # who was mailed
    client, trek = Client(), house.trek(rupees=500)
    buy(client, trek)
    client.post(CHECKOUT, form_of(client, payment_method="cod"))
    order = Order.objects.get()
    html = client.get(f"{FIND}{order.number}/").content.decode()
    (path,) = re.findall(r'action="(/khalti/account/[^"]+/)"', html)

    client.post(path, {"password": "himal-lokta-42"})
    link = re.search(r"/khalti/account/\S+/", str(mail.outbox[-1].body))
    assert link, mail.outbox[-1].body
    client.post(link[0])

    order.refresh_from_db()
    assert order.member_id == client.session["_auth_user_id"]
    assert order.number in texts(client.get("/khalti/points/"))


def test_an_order_is_found_by_its_number_and_its_contact_and_nothing_else_is_said(house: TeaHouse) -> None:
    """W20"""
    client, other = Client(), Client()
    buy(client, house.trek())
    client.post(CHECKOUT, form_of(client, payment_method="bank_transfer"))
    number = Order.objects.get().number

    def find(contact: str, typed: str = number) -> Any:
        return other.post(FIND, {"number": typed, "contact": contact})

    assert other.get(f"/khalti/order/{number}/")["Location"] == FIND
    assert other.get("/khalti/order/TH-22222-22222/")["Location"] == FIND
    wrong, unknown = find("sita@example.com"), find("ram@example.com", "TH-22222-22222")
    assert wrong.status_code == unknown.status_code == 422
    assert texts(wrong).replace("sita@", "ram@") == texts(unknown).replace("TH-22222-22222", number)
    assert find("0", number).status_code == find("\0@", number).status_code == 422
    assert find(" Ram@Example.com ", number.lower())["Location"] == f"/khalti/order/{number}/"
    assert find("984-1234567")["Location"] == f"/khalti/order/{number}/"
    assert "Please transfer" in texts(other.get(f"/khalti/order/{number}/"))
    answers = [find("x@example.com").status_code for _ in range(find_order.PER_MINUTE)]
    assert answers[-1] == 429
    assert find("ram@example.com").status_code == 429  # right ones too, so that no phone number can be guessed


def test_what_staff_do_is_mailed(house: TeaHouse) -> None:
    """W21, C3"""
    client = Client()
    buy(client, house.trek())
    client.post(CHECKOUT, form_of(client, payment_method="cod"))
    order = Order.objects.get()
    with transaction.atomic():
        happened(order, OrderEvent.SENT)
    purchase = Purchase.objects.get()
    hari = str(get_user_model().objects.create(username="hari", email="hari@example.com", is_staff=True).pk)
    flow.mark_received(purchase, actor=hari)
    flow.refund_order(purchase, subtotal=Paisa(order.subtotal), shipping=Paisa(0), key="all", actor=hari)

    assert list(SentMail.objects.order_by("pk").values_list("kind", flat=True)) == [
        "order_placed", "order_shipped", "money_received", "order_refunded"
    ]  # fmt: skip
    assert len({message.subject for message in mail.outbox}) == 4
    assert all(order.number in str(message.body) and "{" not in str(message.body) for message in mail.outbox)
    assert all("/order-link/" in str(message.body) for message in mail.outbox)
    assert "Please have Rs 500.00 ready in cash" in str(mail.outbox[0].body)


def test_no_page_reads_anything_of_ours_twice(house: TeaHouse, khalti: Simulator) -> None:
    page, client = house.trek(stock=5), Client()
    client.force_login(
        new_member("sita@example.com", points=1200), backend="django.contrib.auth.backends.ModelBackend"
    )
    buy(client, page)
    client.get(page.url)  # the process keeps the rules, the site's key and, for seconds, the shop's details
    conf.shop_details("default")
    # The product's page: stock, restrictions, and the rules with the customer's tier, for what the product earns.
    pages = {page.url: 3, BASKET: 15, CHECKOUT: 17}
    cost = {}
    for path in pages:
        with own_statements() as own:
            assert client.get(path).status_code == 200
        cost[path] = own

    assert {path: len(own) for path, own in cost.items()} == pages, cost
    assert all(len(own) == len(set(own)) for own in cost.values()), cost
