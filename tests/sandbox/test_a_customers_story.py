"""A customer's story: from the points on a product to the mail about the refunded line.

Every figure is worked out by hand from the rules of the programme: 1 point for every Rs 10 of products after points,
fractions dropped; 10 points are worth Rs 1; Gold from 500 points earned; a refund is rounded to the nearest paisa and
point. Sita pays Rs 1,999 + Rs 450 - Rs 20 (200 points) = Rs 2,429, which earns 242 points. The bottle is 450 of 2,449:
Rs 446.33 of the money, 37 of the points used, and 44 of the points earned.
"""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client
from oscar.core.loading import get_model
from pytest_django import Settings as SettingsWrapper

from loyalink_khalti import flow
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import KATHMANDU
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.simulator import Simulator
from tests.hosts.oscar.conftest import (
    Customer,
    Page,
    khalti,
    khalti_simulator,
    only_order,
    order_page,
    payment_of,
    text,
)

__all__ = ["khalti", "khalti_simulator"]

pytestmark = [pytest.mark.money, pytest.mark.same_on_both]

PEN, INK = "Kalamkuti fountain pen, indigo, fine nib", "Bottled ink, indigo, 50 ml"
CARD = "/shop/accounts/points/"


@pytest.fixture
def store(demo_store: Path, transactional_db: None, khalti: Simulator, settings: SettingsWrapper) -> None:
    settings.MEDIA_ROOT = demo_store


def user(name: str) -> Any:
    return get_user_model().objects.get(username=name)


def product(slug: str) -> Any:
    return get_model("catalogue", "Product").objects.get(slug=slug)


def written(day: datetime) -> str:
    return f"{day.day} {day:%B %Y}"


def rows(page: Page, selector: str) -> list[str]:
    """Return the text of each element, the signs and spaces of the page's layout left out."""
    found = BeautifulSoup(page.content.decode(), "html.parser").select(selector)
    return [" ".join(each.get_text(" ").split()) for each in found]


def receipt(page: Page) -> list[str]:
    """Return the lines of the order in figures, as on paper: with its products."""
    return rows(page, ".lk-print .lk-breakdown tr")


def history(page: Page) -> list[str]:
    return [re.sub(r"^\d+ \w+ \d+ ", "", line) for line in rows(page, ".lk-points-history li")]


def newest_mail() -> tuple[str, str, str]:
    """Return the newest mail to the customer: its subject, its plain text, and the text of its HTML in one line."""
    told: Any = [message for message in mail.outbox if message.to == ["sita@example.com"]][-1]
    html = BeautifulSoup(str(told.alternatives[0][0]), "html.parser").get_text(" ")
    return told.subject, told.body, " ".join(html.split())


def test_a_member_buys_with_points_and_gets_one_line_refunded(store: None, khalti: Simulator) -> None:
    sita = Customer("sita@example.com", user=user("sita"))
    staff = Client()
    staff.force_login(user("admin"), backend="django.contrib.auth.backends.ModelBackend")
    pen, ink = product("fountain-pen-indigo"), product("ink-bottle-indigo-50-ml")
    bought = (datetime.now(KATHMANDU) + timedelta(days=1)).replace(hour=11)
    shipped, refunded = bought + timedelta(days=1), bought + timedelta(days=4)

    # Sita, who has 1,200 points, sees what each product earns, in the list and on its page.
    with time_machine.travel(bought):
        listed = sita.browser.get(pen.categories.get().get_absolute_url())
        shown = sita.browser.get(pen.get_absolute_url())
        for page in (listed, shown):
            assert rows(page, "header .lk-points-balance") == ["1,200 points = Rs 120"]
            assert f"{PEN} Rs 1,999.00" in text(page)
        assert re.search(rf"{PEN} Rs 1,999\.00 Earn 199 points .*{INK} Rs 450\.00 Earn 45 points ", text(listed))
        assert re.search(rf"{PEN} Rs 1,999\.00 In stock \(\d+ available\) Earn 199 points ", text(shown))

        # The basket says what the order earns: of Rs 2,449.
        sita.add(pen)
        sita.add(ink)
        basket = text(sita.browser.get("/shop/basket/"))
        assert "To pay Rs 2,449.00" in basket
        assert re.search(r"This order earns you 244 points ?\. You have 1,200 points = Rs 120 ", basket)

        # At the payment she can use points in tens from 100 to all 1,200, and tries 200.
        control = BeautifulSoup(sita.go_to_payment().content.decode(), "html.parser").select_one("[data-lk-points]")
        assert control is not None
        assert [control[f"data-{name}"] for name in ("first", "last", "increment")] == ["100", "1200", "10"]
        assert control.select_one("input[type=range]")["max"] == "111"  # type: ignore[index]  # none, 100, 110, … 1,200
        tried = sita.choose("khalti", points="200", action="update")
        assert rows(tried, "#lk-points-figures dd") == ["200 −Rs 20.00", "Rs 2,429.00", "242", "1,000"]

        # She pays Rs 2,429 on Khalti's page.
        assert sita.choose("khalti", points="200").status_code == 302
        payment = payment_of(sita.place())
        khalti.pay(payment.pidx or "")
        thanks = sita.return_from_khalti(payment)

    # The page that thanks her has figures that sum, the new balance, and the way to the next tier.
    assert [each.amount for each in khalti.payments()] == [242_900]
    order = only_order()
    paid = [
        f"{PEN} Rs 1,999.00",
        f"{INK} Rs 450.00",
        "Subtotal Rs 2,449.00",
        "Standard delivery free",
        "Points used (200) −Rs 20.00",
        "Total Rs 2,429.00",
        f"Paid, {written(bought)} Khalti Rs 2,429.00",
    ]
    assert receipt(thanks) == paid
    assert rows(thanks, ".lk-points-after-order p") == [
        "You have 1,242 points now, worth Rs 124.20.",
        "Silver",
        "258 more points to Gold 242 of 500 earned",
        "Your points card",
    ]

    # The mail has the same figures and the points.
    subject, body, html = newest_mail()
    assert subject == f"Your order {order.number} at Saraswati Stationery"
    in_mail = f"""
1 × {PEN}: Rs 1,999.00
1 × {INK}: Rs 450.00
Subtotal: Rs 2,449.00
Standard delivery: free
Points used (200): −Rs 20.00
Total: Rs 2,429.00
Paid, {written(bought)} (Khalti): Rs 2,429.00
"""
    assert f"{in_mail}\nYou earn 242 points with this order.\n" in body
    assert " ".join(paid) in html

    # Staff send it: a mail says so, and the order's page has its course.
    with time_machine.travel(shipped):
        staff.post(order_page(order), {"order_action": "change_order_status", "new_status": "Shipped"})
        own_page = sita.browser.get(f"/shop/accounts/orders/{order.number}/")
    subject, body, html = newest_mail()
    assert subject == f"Your order {order.number} is on its way"
    assert in_mail in body
    assert " ".join(paid) in html
    assert receipt(own_page) == paid
    assert rows(own_page, ".lk-timeline li") == [
        f"Order placed {written(bought)}",
        f"Paid Rs 2,429.00 {written(bought)}",
        f"Shipped {written(shipped)}",
        "Delivered comes next",
    ]

    # The bottle leaks: staff refund it, at Khalti and in points.
    purchase = Purchase.objects.get()
    bottle = next(line for line in purchase.frozen_cart.lines if line.title == INK)
    with time_machine.travel(refunded):
        flow.refund_order(
            purchase,
            subtotal=Paisa(45_000),
            shipping=Paisa(0),
            lines=[(bottle.key, 1)],
            key="the bottle leaks",
            actor=str(user("admin").pk),
        )
        own_page, card = sita.browser.get(f"/shop/accounts/orders/{order.number}/"), sita.browser.get(CARD)

    # The mail names the product, the amount and the points.
    subject, body, html = newest_mail()
    assert subject == f"Refund of your order {order.number}"
    assert f"Rs 446.33 of your order {order.number} is refunded." in body
    assert f"Refunded products:\n1 × {INK}" in body
    assert "37 points that you used are in your account again." in body
    assert "44 points that you had earned with it are reversed." in body
    assert [each.refunded for each in khalti.payments()] == [44_633]

    # The order's page and the mail show the refund by date and amount; the page has the points that moved, too.
    left = [
        paid[0],
        f"{INK} Refunded Rs 450.00",
        *paid[2:],
        f"Refunded, {written(refunded)} −Rs 446.33",
        "Paid, less refunds Rs 1,982.67",
    ]
    assert receipt(own_page) == left
    assert " ".join(left) in html
    assert rows(own_page, ".lk-timeline li")[-2:] == [
        f"Refunded Rs 446.33 {written(refunded)}",
        "Delivered comes next",
    ]
    assert rows(own_page, ".lk-order-points")[-1] == (
        "Points used: 200 , worth Rs 20.00. Points returned to you: 37 ."
        " Points earned: 242 . Points reversed with the refund: 44 ."
    )

    # The points card tells it line by line, each with the balance after it; Gold is further away.
    assert "1,235 points available worth Rs 123.50 Silver" in text(card)
    assert "302 more points to Gold 198 of 500 earned Earned so far 198 Used so far 163 " in text(card)
    assert history(card) == [
        f"Reversed after a refund {order.number} −44 Balance 1,235",
        f"Returned after a refund {order.number} +37 Balance 1,279",
        f"Earned {order.number} +242 Balance 1,242",
        f"Used {order.number} −200 Balance 1,000",
        "Points from before +1,200 Balance 1,200",
        "Balance before 0",
    ]

    # Each event was told once, and a second look finds nothing that disagrees.
    assert len(mail.outbox) == 3
    assert flow.audit()["violations"] == []
