"""R3: the page of an order that was deleted in the shop, where its matter is ended."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import cancelled_orders
from loyalink_khalti.payments.cancelled_orders import Cancellation
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.backoffice.pages import page_text
from tests.backoffice.payments.test_page import logged
from tests.backoffice.staff import Desk, staff_user
from tests.purchases import points

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "loyalink_khalti_missing_order"
REVIEW = "loyalink_khalti_report_review"


@pytest.fixture
def transfer(urls: None, shop: FakeShop, account: Account) -> Purchase:
    """An order by bank transfer, with 500 of 1,000 points and Rs 55 too much, that was deleted."""
    cart = shop.cart("N-1001", member_id=account.member_id, points_redeemed=Points(500))
    purchase = flow.place_order(shop.freeze(cart), method=PaymentMethod.BANK_TRANSFER)
    today = day_of(purchase.created_at)
    flow.record_received(purchase, amount=Paisa(250_500), received_on=today, key="form", actor="1")
    shop.delete_order("N-1001")
    return Purchase.objects.get()


def test_the_surplus_of_a_deleted_order_has_a_page_and_is_refunded_there(desk: Desk, transfer: Purchase) -> None:
    """R3, R3f: the link led to an order that does not exist."""
    link = desk.open(REVIEW).find("a", string="N-N-1001")
    page = desk.post(PAGE, transfer.pk, surplus="1")

    assert link["href"].endswith(f"/khalti/orders/{transfer.pk}/missing/")
    assert "Recorded. Hand Rs 55.00 to the customer." in page_text(page)
    assert Purchase.objects.get().surplus == 0


def test_everything_else_is_refunded_and_the_matter_closed(desk: Desk, transfer: Purchase, account: Account) -> None:
    """R3"""
    desk.post(PAGE, transfer.pk, surplus="1")
    refunded = desk.post(PAGE, transfer.pk, refund="1")
    without_reason = desk.post(PAGE, transfer.pk, close="1", reason=" ")
    closed = desk.post(PAGE, transfer.pk, close="1", reason="It was a test order.")

    assert "Recorded. Hand Rs 2,450.00 to the customer." in page_text(refunded)
    assert "Enter a reason" in page_text(without_reason)
    assert "Nothing more is to be done about order N-N-1001" in page_text(closed)
    assert (points(account), list(flow.audit_violations())) == ((1000, 0, 0), [])
    assert logged()[-1][0] == "loyalink_khalti.close_missing_order"
    assert "It was a test order." in page_text(desk.open(PAGE, transfer.pk))


def test_a_deleted_order_is_listed_once_a_pass_has_noticed_it(desk: Desk, paid: Payment, shop: FakeShop) -> None:
    """R3"""
    shop.delete_order("N-1001")
    flow.notice_missing_orders()

    listed = desk.open(REVIEW)
    page = desk.open(PAGE, paid.purchase_id)

    assert "The order was deleted in the shop." in page_text(listed)
    assert "To review 1" in page_text(listed)
    assert page.find("a", string="Payment at Khalti, with its refunds")["href"].endswith(f"/payments/{paid.pk}/")
    assert page.find("button", string="Refund in full") is None  # Khalti's money goes back on the payment's page
    assert desk.page(paid).find("a", string="Deleted order") is not None


def test_who_may_only_view_payments_ends_nothing(urls: None, transfer: Purchase) -> None:
    """R3"""
    desk = Desk(staff_user("viewer", "view_payment"))

    page = desk.open(PAGE, transfer.pk)
    desk.post(PAGE, transfer.pk, surplus="1", status=403)

    assert page.find("button", string="Close") is None
    assert Purchase.objects.get().surplus == 5_500


def test_an_order_that_exists_has_nothing_to_end(desk: Desk, paid: Payment) -> None:
    """R3"""
    page = desk.open(PAGE, paid.purchase_id)
    refused = desk.post(PAGE, paid.purchase_id, close="1", reason="gone")

    assert "The shop has this order" in page_text(page)
    assert page.find("button", string="Close") is None
    assert "The shop has this order." in page_text(refused)


def test_an_order_that_the_shop_has_cancelled_by_itself_is_listed_and_closed(desk: Desk, paid: Payment) -> None:
    """O3"""
    cancelled_orders.note(paid.purchase, Cancellation(status="Annulled"))

    listed, home = desk.open(REVIEW), desk.open("wagtailadmin_home")
    page = desk.open(PAGE, paid.purchase_id)
    closed = desk.post(PAGE, paid.purchase_id, close="1", reason="Exchanged for another one.")

    assert "The order was cancelled in the shop, and is not refunded." in page_text(listed)
    assert "To review 1" in page_text(listed)
    assert "1 order was cancelled in the shop and is not refunded." in page_text(home)
    assert "to “Annulled”. No money was refunded" in page_text(page)
    assert "Nothing more is to be done about order" in page_text(closed)
    assert "Exchanged for another one." in page_text(desk.open(PAGE, paid.purchase_id))
    assert list(cancelled_orders.to_close()) == []
