"""Money goes back from Wagtail as from the shop's own back office: shown first, once, and never beyond what may be."""

from collections.abc import Callable
from typing import Any

import pytest
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Payment, Refund
from tests.backoffice.staff import accountant
from tests.purchases import Khalti, stands

from .conftest import Desk, words
from .test_page import logged

pytestmark = pytest.mark.django_db(transaction=True)

REFUND = "loyalink_khalti_payment_refund"


def key_of(page: Any) -> str:
    return str(page.find("input", {"name": "key"})["value"])


def limit(paisa: int) -> None:
    site = Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.update_or_create(site=site, defaults={"refund_limit": paisa})


def test_before_anything_moves_the_page_shows_cash_and_points(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    preview = desk.post(REFUND, paid.pk, amount="1000", shelve="on")

    said = words(preview)
    assert "Give Rs 980.00 back" in said  # Rs 50 of the Rs 2,500 came as points
    assert "Points that come back to the customer 200" in said
    assert "Points that are taken back 98" in said
    assert khalti.refunded == []
    assert not Refund.objects.exists()


def test_a_part_that_is_confirmed_goes_back_once_however_often_it_is_sent(
    desk: Desk, paid: Payment, khalti: Khalti, account: Account
) -> None:
    typed = {"amount": "1000", "shelve": "on", "confirm": "1", "seen": "0"}
    key = key_of(desk.post(REFUND, paid.pk, amount="1000", shelve="on"))

    page = desk.post(REFUND, paid.pk, key=key, **typed)
    desk.post(REFUND, paid.pk, key=key, **typed)

    assert "Khalti has given Rs 980.00 back; 200 points came back, 98 were taken back." in words(page)
    assert [body for _id, body in khalti.refunded] == [{"amount": 98_000}]
    assert stands(paid) == ("part_refunded", "placed")
    account.refresh_from_db()
    assert account.available == 500 + 245 + 200 - 98
    assert logged()[0] == ("loyalink_khalti.refund", "Give back: Rs 980.00, done", "maya")


def test_everything_is_filled_in_by_one_link(desk: Desk, paid: Payment, khalti: Khalti, account: Account) -> None:
    form = desk.open(REFUND, paid.pk, all="")
    typed = {field["name"]: field.get("value", "") for field in form.select("main form input[name^=quantity]")}

    key = key_of(desk.post(REFUND, paid.pk, shelve="on", **typed))
    desk.post(REFUND, paid.pk, key=key, seen="0", shelve="on", confirm="1", **typed)

    assert stands(paid) == ("refunded", "placed")
    account.refresh_from_db()
    assert account.available == 1000


def test_more_than_is_left_is_refused_in_words(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    page = desk.post(REFUND, paid.pk, amount="2500.01", confirm="1", key="k", seen="0")

    assert "Only goods for Rs 2,500.00 are left to refund." in words(page)
    assert khalti.refunded == []


@pytest.mark.parametrize("typed", ["-1", "1.001", "ten", "1e3", "NaN", "=1+1"])
def test_what_is_no_amount_is_refused_at_its_field(desk: Desk, paid: Payment, khalti: Khalti, typed: str) -> None:
    if typed == "1e3":  # which a decimal field reads, and it is an amount
        typed = "1e99"

    page = desk.post(REFUND, paid.pk, amount=typed, confirm="1", key="k", seen="0")

    assert page.select(".w-field__errors, .error-message")
    assert khalti.refunded == []


def test_who_saw_an_older_page_is_told_that_another_was_quicker(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    key = key_of(desk.post(REFUND, paid.pk, amount="1000", seen="0"))
    desk.post(REFUND, paid.pk, amount="1000", seen="0", key="another", confirm="1")

    page = desk.post(REFUND, paid.pk, amount="1000", seen="0", key=key, confirm="1")

    assert "Another refund was made meanwhile" in words(page)
    assert len(khalti.refunded) == 1


def test_beyond_the_limit_it_is_refused_in_whatever_parts(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    limit(150_000)
    desk.post(REFUND, paid.pk, amount="1000", key="first", seen="0", confirm="1")

    seen = str(Refund.objects.get().pk)
    page = desk.post(REFUND, paid.pk, amount="1000", key="second", seen=seen, confirm="1", status=403)

    assert "You may give back up to Rs 1,500.00 of one order" in words(page)
    assert len(khalti.refunded) == 1


def test_who_may_go_beyond_the_limit_does(urls: None, paid: Payment, khalti: Khalti) -> None:
    limit(150_000)
    desk = Desk(accountant())

    desk.post(REFUND, paid.pk, amount="2500", key="all", seen="0", confirm="1")

    assert stands(paid) == ("refunded", "placed")


def test_a_refusal_of_khaltis_is_told_and_moves_nothing(
    desk: Desk, paid: Payment, khalti: Khalti, account: Account
) -> None:
    khalti.next_refund.append((400, {}, '{"detail": "Insufficient balance <b>"}'))

    page = desk.post(REFUND, paid.pk, amount="1000", key="k", seen="0", confirm="1")

    assert "Khalti refused: “Insufficient balance <b>”. No money and no points have moved." in words(page)
    assert stands(paid) == ("fulfilled", "placed")


def test_after_silence_the_page_offers_to_say_what_khaltis_dashboard_shows(
    desk: Desk, paid: Payment, khalti: Khalti
) -> None:
    khalti.next_refund.append((504, {}, ""))

    page = desk.post(REFUND, paid.pk, amount="1000", key="k", seen="0", confirm="1")

    assert "nobody knows yet whether Rs 980.00 went back" in words(page)
    assert page.find("a", string="Decide")


def test_what_is_not_paid_or_given_back_already_leads_back_with_a_word(
    desk: Desk, waiting: Payment, khalti: Khalti
) -> None:
    page = desk.client.get(f"/admin/khalti/payments/{waiting.pk}/refund/", follow=True)

    assert "Nothing of this order is left to be given back." in page.content.decode()


def test_delivery_is_not_given_back_twice_from_two_windows(
    desk: Desk, begin: Callable[..., Payment], khalti: Khalti
) -> None:
    payment = begin("N-3001", shipping=10_000)
    khalti.pay(payment.pidx)
    flow.finish(payment)
    windows = [desk.post(REFUND, payment.pk, delivery="40", seen="0") for _window in range(2)]

    for page in windows:
        seen = page.find("input", {"name": "seen"})["value"]
        said = desk.post(REFUND, payment.pk, delivery="40", seen=seen, key=key_of(page), confirm="1")

    assert "Another refund was made meanwhile" in words(said)
    assert [body for _id, body in khalti.refunded] == [{"amount": 4000}]


def test_a_confirmation_that_does_not_say_what_was_seen_is_refused(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    page = desk.post(REFUND, paid.pk, amount="1000", key="k", confirm="1")

    assert "Please open the page again." in words(page)
    assert khalti.refunded == []


def test_an_order_whose_shop_is_gone_sends_no_money_that_no_books_could_follow(
    desk: Desk, paid: Payment, khalti: Khalti, settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SHOPS": {}}

    page = desk.post(REFUND, paid.pk, amount="1000", key="k", seen="0", confirm="1")

    assert "no longer set up here" in words(page)
    assert khalti.refunded == []
