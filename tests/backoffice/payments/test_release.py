"""Staff see who has reserved what without paying, and release it (D1)."""

from collections.abc import Callable
from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.backoffice.pages import page_text
from tests.backoffice.payments.test_page import logged
from tests.backoffice.staff import Desk, staff_user
from tests.purchases import Khalti, flags, states_of

pytestmark = pytest.mark.django_db(transaction=True)

LIST, RELEASE = "loyalink_khalti_report_unpaid", "loyalink_khalti_release"


@pytest.fixture
def cod(urls: None, shop: FakeShop) -> Purchase:
    """An order that is paid on delivery, from a network of its own."""
    freeze = shop.freeze(shop.cart("N-3001"))
    return flow.place_order(freeze, method=PaymentMethod.COD, browser_session="b" * 40, network="n" * 40)


def test_the_report_shows_who_has_reserved_what(desk: Desk, waiting: Payment, cod: Purchase) -> None:
    """D1"""
    text = page_text(desk.open(LIST))

    assert "Unpaid orders 2 Rs 4,950.00" in text
    assert "Fountain pen × 1" in text
    assert "Cash on delivery" in text
    assert "nnnnnn" in text
    assert "bbbbbb" in text
    assert "nnnnnnn" not in text


def test_what_is_paid_or_cancelled_is_not_in_the_report(desk: Desk, paid: Payment, flagged: Payment) -> None:
    assert "Nothing is reserved without payment." in page_text(desk.open(LIST))


def test_a_payment_at_khalti_is_looked_up_and_then_released(
    desk: Desk, waiting: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """D1"""
    question = page_text(desk.open(RELEASE, waiting.purchase_id))
    before = states_of(waiting), len(khalti.looked_up)

    answer = page_text(desk.post(RELEASE, waiting.purchase_id))

    assert "Khalti is asked first." in question
    assert before == (("initiated", "open"), 0)
    assert "Released: the products are for sale again." in answer
    assert (states_of(waiting), len(khalti.looked_up)) == (("released", "released"), 1)
    assert shop.customer_was_present == [False]
    assert logged()[0] == ("loyalink_khalti.release", "Release of a payment at Khalti: Cancelled", "maya")


def test_a_payment_that_khalti_reports_as_paid_is_placed_and_not_released(
    desk: Desk, waiting: Payment, khalti: Khalti
) -> None:
    khalti.pay(waiting.pidx)

    answer = page_text(desk.post(RELEASE, waiting.purchase_id))

    assert "Khalti reports that it was paid: the order is placed" in answer
    assert states_of(waiting) == ("fulfilled", "placed")


def test_without_khaltis_word_nothing_is_released(desk: Desk, waiting: Payment, khalti: Khalti) -> None:
    """D1"""
    khalti.next_lookup = [(503, {}, "")]

    answer = page_text(desk.post(RELEASE, waiting.purchase_id))

    assert "Nothing was released; try again soon." in answer
    assert states_of(waiting) == ("initiated", "open")


def test_a_released_payment_that_is_paid_all_the_same_is_a_payment_to_review(
    desk: Desk, waiting: Payment, khalti: Khalti
) -> None:
    desk.post(RELEASE, waiting.purchase_id)
    khalti.pay(waiting.pidx)

    flow.verify_payment(waiting, ignore_back_off=True)

    assert flags() == ["paid_after_cancel"]


def test_an_order_paid_on_delivery_is_cancelled_with_its_stock_once(desk: Desk, cod: Purchase, shop: FakeShop) -> None:
    """D1"""
    question = page_text(desk.open(RELEASE, cod.pk))

    answers = [page_text(desk.post(RELEASE, cod.pk)) for _click in range(2)]

    assert "Contact the customer first" in question
    assert "The order is cancelled." in answers[0]
    assert "does not reserve anything without payment any more" in answers[1]
    assert len(shop.refunded) == 1
    assert flow.unpaid_purchases() == []
    assert logged()[0][0] == "loyalink_khalti.cancel_order"


@pytest.mark.parametrize(
    ("granted", "purchase", "status"),
    [
        ("change_flag", "khalti", 200), ("change_refund", "khalti", 403),
        ("change_refund", "cod", 200), ("change_flag", "cod", 403),
    ],
)  # fmt: skip
def test_releasing_needs_the_permission_for_what_it_does(
    granted: str, purchase: str, status: int, waiting: Payment, cod: Purchase, begin: Callable[..., Any]
) -> None:
    """D1"""
    client = Desk(staff_user("ram", "view_payment", granted)).client
    pk = waiting.purchase_id if purchase == "khalti" else cod.pk

    assert client.get(f"/admin/khalti/unpaid/{pk}/release/").status_code == status
    assert client.post(f"/admin/khalti/unpaid/{pk}/release/").status_code == (302 if status == 200 else 403)
