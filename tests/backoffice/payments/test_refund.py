"""A refund from Wagtail: previewed first, made once, and never above the limit."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Payment, Refund
from tests.backoffice.pages import page_text
from tests.backoffice.payments.test_page import logged
from tests.backoffice.staff import Desk, accountant
from tests.purchases import Khalti, states_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sampled]

REFUND = "loyalink_khalti_payment_refund"


def key_of(page: Any) -> str:
    return str(page.find("input", {"name": "key"})["value"])


def limit(paisa: int) -> None:
    site = Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.update_or_create(site=site, defaults={"refund_limit": paisa})


def test_the_preview_shows_money_and_points_and_moves_nothing(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    preview = desk.post(REFUND, paid.pk, amount="1000", restock_0="on")

    text = page_text(preview)
    assert "Refund Rs 980.00" in text  # Rs 50 of the Rs 2,500 were paid with points
    assert "Points returned 200" in text
    assert "Points reversed 98" in text
    assert khalti.refunded == []
    assert not Refund.objects.exists()


def test_a_partial_refund_is_made_once_even_if_the_form_is_submitted_twice(
    desk: Desk, paid: Payment, khalti: Khalti, account: Account
) -> None:
    data = {"amount": "1000", "restock_0": "on", "confirm": "1", "seen_refund": "0"}
    key = key_of(desk.post(REFUND, paid.pk, amount="1000", restock_0="on"))

    page = desk.post(REFUND, paid.pk, key=key, **data)
    desk.post(REFUND, paid.pk, key=key, **data)

    assert "Khalti has refunded Rs 980.00. Points returned: 200; points reversed: 98." in page_text(page)
    assert [body for _id, body in khalti.refunded] == [{"amount": 98_000}]
    assert states_of(paid) == ("partially_refunded", "placed")
    account.refresh_from_db()
    assert account.available == 500 + 245 + 200 - 98
    assert logged()[0] == ("loyalink_khalti.refund", "Refund of Rs 980.00: Refunded", "maya")


def test_the_link_for_a_full_refund_fills_in_the_form(
    desk: Desk, paid: Payment, khalti: Khalti, account: Account
) -> None:
    form = desk.open(REFUND, paid.pk, all="")
    data = {field["name"]: field.get("value", "") for field in form.select("main form input[name^=quantity]")}

    key = key_of(desk.post(REFUND, paid.pk, restock_0="on", **data))
    desk.post(REFUND, paid.pk, key=key, seen_refund="0", restock_0="on", confirm="1", **data)

    assert states_of(paid) == ("refunded", "placed")
    account.refresh_from_db()
    assert account.available == 1000


def test_more_than_is_left_to_refund_is_refused_with_a_message(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    page = desk.post(REFUND, paid.pk, amount="2500.01", confirm="1", key="k", seen_refund="0")

    assert "Only Rs 2,500.00 of the products is left to refund." in page_text(page)
    assert khalti.refunded == []


@pytest.mark.parametrize("amount", ["-1", "1.001", "ten", "1e3", "NaN", "=1+1"])
def test_an_invalid_amount_is_refused_at_its_field(desk: Desk, paid: Payment, khalti: Khalti, amount: str) -> None:
    if amount == "1e3":  # a decimal field accepts it, and it is an amount
        amount = "1e99"

    page = desk.post(REFUND, paid.pk, amount=amount, confirm="1", key="k", seen_refund="0")

    assert page.select(".w-field__errors, .error-message")
    assert khalti.refunded == []


def test_a_form_that_is_older_than_the_latest_refund_is_refused(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    key = key_of(desk.post(REFUND, paid.pk, amount="1000", seen_refund="0"))
    desk.post(REFUND, paid.pk, amount="1000", seen_refund="0", key="another", confirm="1")

    page = desk.post(REFUND, paid.pk, amount="1000", seen_refund="0", key=key, confirm="1")

    assert "Another refund was made in the meantime" in page_text(page)
    assert len(khalti.refunded) == 1


def test_with_thousand_separators_and_ids_above_a_thousand_the_second_refund_is_made_too(
    desk: Desk, paid: Payment, khalti: Khalti, settings: Any
) -> None:
    """M14"""
    settings.USE_THOUSAND_SEPARATOR = True
    desk.post(REFUND, paid.pk, amount="1000", seen_refund="0", key="first", confirm="1")
    Refund.objects.update(id=Refund.objects.get().pk + 1000)
    typed = desk.open(REFUND, paid.pk).find("input", {"name": "seen_refund"})["value"]

    preview = desk.post(REFUND, paid.pk, amount="500", seen_refund=typed)
    seen_refund = preview.find("input", {"name": "seen_refund"})["value"]
    desk.post(REFUND, paid.pk, amount="500", seen_refund=seen_refund, key=key_of(preview), confirm="1")

    assert [body for _id, body in khalti.refunded] == [{"amount": 98_000}, {"amount": 49_000}]


@pytest.mark.parametrize("seen_refund", ["1,001", "x", ""])
def test_a_form_whose_latest_refund_cannot_be_read_is_refused_with_a_message(
    desk: Desk, paid: Payment, khalti: Khalti, seen_refund: str
) -> None:
    """M14: it does not come back without a word."""
    page = desk.post(REFUND, paid.pk, amount="1000", seen_refund=seen_refund, key="k", confirm="1")

    assert "This form is incomplete. Please open the page again." in page_text(page)
    assert khalti.refunded == []


def test_partial_refunds_above_the_limit_together_are_refused_and_the_form_is_kept(
    desk: Desk, paid: Payment, khalti: Khalti
) -> None:
    """U13"""
    limit(150_000)
    desk.post(REFUND, paid.pk, amount="1000", key="first", seen_refund="0", confirm="1")

    seen_refund = str(Refund.objects.get().pk)
    page = desk.post(REFUND, paid.pk, amount="1000", key="second", seen_refund=seen_refund, confirm="1")

    used = "Staff may refund up to Rs 1,500.00 of one order: Rs 980.00 of it is used, Rs 520.00 is left, and this"
    assert f"{used} refund is Rs 980.00." in page_text(page)
    assert page.select_one("[name=amount]")["value"] == "1000"  # type: ignore[index]
    assert [bool(page.select_one(f"[name={name}]")) for name in ("ask", "confirm")] == [True, False]
    assert len(khalti.refunded) == 1


def test_staff_with_the_permission_refund_above_the_limit(urls: None, paid: Payment, khalti: Khalti) -> None:
    limit(150_000)
    desk = Desk(accountant())

    desk.post(REFUND, paid.pk, amount="2500", key="all", seen_refund="0", confirm="1")

    assert states_of(paid) == ("refunded", "placed")


def test_a_refund_that_khalti_refuses_is_shown_and_moves_nothing(
    desk: Desk, paid: Payment, khalti: Khalti, account: Account
) -> None:
    khalti.next_refund.append((400, {}, '{"detail": "Insufficient balance <b>"}'))

    page = desk.post(REFUND, paid.pk, amount="1000", key="k", seen_refund="0", confirm="1")

    assert "Khalti refused: “Insufficient balance <b>”. No money and no points have moved." in page_text(page)
    assert states_of(paid) == ("fulfilled", "placed")


def test_an_unconfirmed_refund_can_be_reviewed(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    khalti.next_refund.append((504, {}, ""))

    page = desk.post(REFUND, paid.pk, amount="1000", key="k", seen_refund="0", confirm="1")

    assert "the refund of Rs 980.00 is unconfirmed" in page_text(page)
    assert page.find("a", string="Review")


def test_an_unpaid_payment_has_nothing_to_refund(desk: Desk, waiting: Payment, khalti: Khalti) -> None:
    page = desk.client.get(f"/admin/khalti/payments/{waiting.pk}/refund/", follow=True)

    assert "Nothing of this order is left to refund." in page.content.decode()


def test_delivery_is_not_refunded_twice_from_two_windows(
    desk: Desk, begin: Callable[..., Payment], khalti: Khalti
) -> None:
    payment = begin("N-3001", shipping=10_000)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    windows = [desk.post(REFUND, payment.pk, delivery="40", seen_refund="0") for _window in range(2)]

    for page in windows:
        seen_refund = page.find("input", {"name": "seen_refund"})["value"]
        answer = desk.post(REFUND, payment.pk, delivery="40", seen_refund=seen_refund, key=key_of(page), confirm="1")

    assert "Another refund was made in the meantime" in page_text(answer)
    assert [body for _id, body in khalti.refunded] == [{"amount": 4000}]


def test_a_confirmation_without_the_seen_refund_is_refused(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    page = desk.post(REFUND, paid.pk, amount="1000", key="k", confirm="1")

    assert "Please open the page again." in page_text(page)
    assert khalti.refunded == []


def test_an_order_whose_shop_is_no_longer_set_up_is_not_refunded(
    desk: Desk, paid: Payment, khalti: Khalti, settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SHOPS": {}}

    page = desk.post(REFUND, paid.pk, amount="1000", key="k", seen_refund="0", confirm="1")

    assert "no longer set up here" in page_text(page)
    assert khalti.refunded == []


def test_staff_read_that_khalti_did_not_answer_and_that_nothing_was_sent(
    desk: Desk, paid: Payment, khalti: Khalti
) -> None:
    """R4"""
    khalti.next_lookup = [requests.ReadTimeout("silence")]

    page = desk.post(REFUND, paid.pk, amount="1000", key="k", confirm="1", seen_refund="0")

    assert "Khalti did not answer. Nothing was sent: try again." in page_text(page)
    assert khalti.refunded == []


def test_the_form_says_that_khalti_is_asked_first_and_what_it_does_not_report(desk: Desk, paid: Payment) -> None:
    """R4"""
    for page in (desk.open(REFUND, paid.pk), desk.post(REFUND, paid.pk, amount="1000", restock_0="on")):
        assert "It does not report a second partial refund made in its dashboard" in page_text(page)


def test_an_outside_refund_is_named_and_asked_for_instead_of_sending_ours(
    desk: Desk, paid: Payment, khalti: Khalti
) -> None:
    """R4: Rs 50 went back in Khalti's dashboard."""
    khalti.refund(f"T-{paid.pidx}", 5_000)

    page = page_text(desk.post(REFUND, paid.pk, amount="1000", key="k", confirm="1", seen_refund="0"))

    assert "a part was refunded that is not recorded here" in page
    assert "A refund was made in Khalti's dashboard." in page  # the flag, with its button
    assert khalti.refunded == []


def test_an_inferred_refund_says_so_on_its_row(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    """R4: the last one was not answered, and Khalti reports Refunded since."""
    desk.post(REFUND, paid.pk, amount="1000", key="first", confirm="1", seen_refund="0")
    khalti.next_refund = [requests.ReadTimeout("silence")]
    first = Refund.objects.get().pk
    desk.post(REFUND, paid.pk, amount="1500", key="second", confirm="1", seen_refund=str(first))
    khalti.refund(f"T-{paid.pidx}")
    flow.refresh_payment(paid)

    page = page_text(desk.open("loyalink_khalti_payment", paid.pk))

    assert "Inferred: Khalti did not answer, and reports “Refunded” since." in page


def test_a_contradiction_shows_both_answers(desk: Desk, paid: Payment, khalti: Khalti) -> None:
    """R11"""
    khalti.says(paid.pidx, "Expired")
    flow.refresh_payment(paid)

    page = page_text(desk.open("loyalink_khalti_payment", paid.pk))

    assert "Khalti's answer contradicts what is recorded of this payment." in page
    assert "Khalti's status Expired" in page
    assert "Khalti's status before Completed" in page
    assert "Khalti's amount before Rs 2,450.00" in page
