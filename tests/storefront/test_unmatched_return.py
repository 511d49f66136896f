"""R5, R10: a return with a pidx that no payment here has is kept, a bounded number an hour, and the page is honest."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti
from tests.storefront.test_database_unavailable import unavailable

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

PIDX = "bZQLD9wRVWo4CdESSfuSsB"
TOKEN = "A" * 22
CSRF_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="\w+"')


def come_back(client: Client, pidx: Any = PIDX, *, token: str = TOKEN, follow: bool = False, **query: Any) -> Any:
    """Return from Khalti with what it appends."""
    known = {"status": "Completed", "mobile": "98XXXXX904", "purchase_order_id": "100023-1", "pidx": pidx}
    return client.get(reverse("loyalink_khalti:return", args=[token]), known | query, follow=follow)


def text_of(response: Any) -> str:
    return " ".join(BeautifulSoup(response.content, "html.parser").get_text(" ").split())


@pytest.fixture
def lost(shop: FakeShop, khalti: Khalti) -> Payment:
    """R10: Khalti has created the payment ``PIDX``, and its answer to initiate was lost."""
    khalti.next_initiate.append((503, {}, "<html>"))
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart()))
    khalti.knows(PIDX, 250_000)
    return Payment.objects.get()


def test_an_unknown_return_is_kept_and_khalti_is_not_asked(client: Client, shop: FakeShop, khalti: Khalti) -> None:
    """R5, K07"""
    answer = come_back(client)

    row = UnmatchedPayment.objects.get()
    assert (answer.status_code, khalti.looked_up) == (404, [])
    assert (row.pidx, row.state, row.claimed_order_id, row.returned_to) == (PIDX, "waiting", "100023-1", None)
    assert row.site_key == "default"
    assert row.network not in {"", "127.0.0.0/24"}


def test_the_page_says_what_is_known_and_names_the_number(client: Client, shop: FakeShop, khalti: Khalti) -> None:
    """R5"""
    text = text_of(come_back(client))

    assert "We have no record of this payment yet" in text
    assert "will find it within minutes" in text
    assert PIDX in text
    assert "may be incomplete" not in text
    assert "98XXXXX904" not in text


def test_the_page_is_in_the_stores_frame_and_protected(client: Client, shop: FakeShop, khalti: Khalti) -> None:
    """R5"""
    answer = come_back(client)

    assert b"sandbox/store.js" in answer.content
    assert (answer["Referrer-Policy"], answer["X-Frame-Options"]) == ("no-referrer", "DENY")


@pytest.mark.parametrize(
    "pidx",
    [
        "",
        "short",
        "x" * 65,
        PIDX + "\x00",
        PIDX + " ",
        "<script>alert(1)</script>",
        "' OR 1=1 --" * 2,
        [PIDX, "y" * 22],
    ],
)
def test_what_is_no_pidx_is_an_incomplete_link_and_is_not_kept(pidx: Any, client: Client, shop: FakeShop) -> None:
    """D11, R5a"""
    answer = come_back(client, pidx)

    assert (answer.status_code, UnmatchedPayment.objects.count()) == (404, 0)
    assert "may be incomplete" in text_of(answer)


@pytest.mark.parametrize("order_id", ["=HYPERLINK(1)", "x" * 65, "<b>1</b>", "1\n2", ["1", "2"]])
def test_an_order_id_that_is_none_is_not_kept(order_id: Any, client: Client, shop: FakeShop) -> None:
    """K01, R5a"""
    come_back(client, purchase_order_id=order_id)

    assert UnmatchedPayment.objects.get().claimed_order_id == ""


def test_the_same_return_again_is_kept_once(client: Client, shop: FakeShop) -> None:
    """R5a"""
    pages = [come_back(client).status_code for _ in range(3)]

    assert (pages, UnmatchedPayment.objects.count()) == ([404] * 3, 1)


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 5])
def test_a_return_during_a_failover_is_kept_when_the_page_reloads(after: int, shop: FakeShop) -> None:
    """R5, R5b: the database is gone, then back without this payment; the page that waits for it keeps the pidx."""
    client = Client(raise_request_exception=False)
    with unavailable(after=after):
        answer = come_back(client)
    reload = answer["Refresh"].partition("url=")[2]

    page = client.get(reload)

    assert (answer.status_code, reload) == (503, f"/khalti/return/{TOKEN}/?pidx={PIDX}")
    assert (page.status_code, UnmatchedPayment.objects.get().pidx) == (404, PIDX)


@pytest.mark.parametrize("limit", ["UNMATCHED_PER_HOUR", "UNMATCHED_PER_HOUR_AND_NETWORK"])
def test_a_bounded_number_an_hour_is_kept_and_the_page_says_so(
    limit: str, client: Client, shop: FakeShop, settings: Any
) -> None:
    """K07, R5a"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, limit: 3}
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        pages = [text_of(come_back(client, f"{number:022}")) for number in range(5)]
    with time_machine.travel(now + timedelta(hours=1, seconds=1), tick=False):
        come_back(client, "z" * 22)

    assert UnmatchedPayment.objects.count() == 4
    assert ["within minutes" in page for page in pages] == [True] * 3 + [False] * 2
    assert "send this number to the shop" in pages[-1]


def test_the_limit_of_a_network_does_not_close_the_shop_to_others(
    client: Client, shop: FakeShop, settings: Any
) -> None:
    """R5a"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "UNMATCHED_PER_HOUR_AND_NETWORK": 1}
    for number in range(3):
        come_back(client, f"{number:022}")

    come_back(Client(REMOTE_ADDR="203.0.113.9"), PIDX)

    assert UnmatchedPayment.objects.count() == 2
    assert UnmatchedPayment.objects.filter(pidx=PIDX).exists()


def test_guesses_are_throttled_before_anything_is_kept(client: Client, shop: FakeShop, settings: Any) -> None:
    """K07, D15, R5a"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "UNKNOWN_TOKENS_PER_MINUTE": 2}

    answers = [come_back(client, f"{number:022}").status_code for number in range(4)]

    assert (answers, UnmatchedPayment.objects.count()) == ([404, 404, 429, 429], 2)


def test_a_known_pidx_and_an_unknown_one_get_the_same_page_by_the_same_statements(
    client: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """D15, D02, R5a: whoever has a pidx learns nothing from this page."""
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    known, other = "K" * 22, "U" * 22
    Payment.objects.filter(pk=payment.pk).update(pidx=known)
    come_back(client)  # with warm caches

    pages, statements = [], []
    for pidx in (known, other, known, other):
        with CaptureQueriesContext(connection) as captured:
            content = come_back(Client(), pidx).content.replace(pidx.encode(), b"pidx")
        pages.append(CSRF_TOKEN.sub(b"", content))
        statements.append([query["sql"].split(" ")[0] for query in captured])

    assert len(set(pages)) == 1
    assert statements == [statements[0]] * 4
    assert khalti.looked_up == []


def test_a_known_pidx_that_came_back_to_an_unknown_address_is_dropped_by_the_reconciler(
    client: Client, shop: FakeShop, khalti: Khalti
) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    Payment.objects.filter(pk=payment.pk).update(pidx=PIDX)
    khalti.knows(PIDX, 250_000)
    come_back(client)

    list(flow.reconcile())

    assert UnmatchedPayment.objects.count() == 0


def test_an_ordinary_return_keeps_nothing(client: Client, shop: FakeShop, khalti: Khalti) -> None:
    """R10a"""
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    Payment.objects.filter(pk=payment.pk).update(pidx=PIDX)
    khalti.knows(PIDX, 250_000)
    khalti.pay(PIDX)

    come_back(client, token=payment.token)

    assert UnmatchedPayment.objects.count() == 0


def test_another_pidx_at_the_address_of_a_payment_settles_nothing_and_is_kept(
    client: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """D12, B05, R10a: no pidx from a query settles anything."""
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.knows(PIDX, 250_000)
    khalti.pay(PIDX)

    come_back(client, token=payment.token, follow=True)
    list(flow.reconcile())

    row = UnmatchedPayment.objects.get()
    payment.refresh_from_db()
    assert (row.pidx, row.returned_to, row.state) == (PIDX, payment, "found")
    assert (payment.state, payment.pidx, shop.confirmed) == ("initiated", "pidx1", [])


def test_a_payment_whose_answer_was_lost_does_not_say_that_nothing_was_paid(
    client: Client, lost: Payment, khalti: Khalti
) -> None:
    """R10"""
    khalti.pay(PIDX)

    page = come_back(client, token=lost.token, follow=True)
    text = text_of(page)

    assert page.redirect_chain[-1][0] == reverse("loyalink_khalti:status", args=[lost.token])
    assert "Khalti's answer was lost" in text
    assert PIDX in text
    assert "nothing was charged. You can order again, or" not in text
    assert "will find it within minutes" in text
    assert UnmatchedPayment.objects.get().returned_to == lost


def test_the_page_of_a_lost_answer_follows_what_khalti_says(client: Client, lost: Payment, khalti: Khalti) -> None:
    """R10"""
    come_back(client, token=lost.token)
    status = reverse("loyalink_khalti:status", args=[lost.token])
    khalti.pay(PIDX)
    list(flow.reconcile())

    found = text_of(client.get(status))
    khalti.says(PIDX, "Refunded", refunded=True)
    list(flow.reconcile())

    assert "has found money at Khalti that may be this payment" in found
    assert "has found money" not in text_of(client.get(status))


def test_a_lost_answer_that_was_not_paid_ends_by_itself(client: Client, lost: Payment, khalti: Khalti) -> None:
    """R10"""
    come_back(client, token=lost.token)
    khalti.says(PIDX, "User canceled")

    list(flow.reconcile())

    page = client.get(reverse("loyalink_khalti:status", args=[lost.token]))
    assert UnmatchedPayment.objects.get().state == "ended"
    assert "nothing was charged" in text_of(page)


def test_a_lost_answer_above_the_limit_gets_the_honest_page_too(client: Client, lost: Payment, settings: Any) -> None:
    """R10, K07"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "UNMATCHED_PER_HOUR": 0}

    page = come_back(client, token=lost.token)

    assert "send this number to the shop" in text_of(page)


def test_a_return_before_khaltis_answer_is_stored_is_no_unmatched_payment(
    client: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """A10, R10a: the customer is back while the answer to initiate, with this very pidx, is on its way."""
    seen: list[Any] = []

    def come_back_early() -> None:
        payment = Payment.objects.get()
        seen.append(come_back(client, token=payment.token).status_code)

    khalti.while_initiating = come_back_early
    khalti.next_initiate.append({"pidx": PIDX})
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.knows(PIDX, 250_000)
    khalti.pay(PIDX)

    list(flow.reconcile())

    payment.refresh_from_db()
    assert (seen, payment.state) == ([302], "fulfilled")
    assert UnmatchedPayment.objects.to_review().count() == 0
