"""The page of one order, however it is paid, and what staff do there."""

from collections.abc import Callable

import pytest

from loyalink_khalti import flow
from loyalink_khalti.backoffice.orders import sections
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.staff.received_form import ReceivedForm
from tests.backoffice.pages import page_text
from tests.backoffice.payments.test_page import logged
from tests.backoffice.staff import Desk, staff_user
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "loyalink_khalti_order"
Place = Callable[..., Purchase]


def test_a_purchase_with_several_attempts_is_one_page_with_all_of_them(
    desk: Desk, waiting: Payment, khalti: Khalti
) -> None:
    """U1"""
    khalti.says(waiting.pidx, "User canceled")
    flow.verify_payment(waiting)

    page = desk.open(PAGE, waiting.purchase_id)

    links = [link["href"] for link in page.select("main table a")]
    assert f"/admin/khalti/payments/{waiting.pk}/" in links
    text = page_text(page)
    assert "Khalti's status: User canceled" in text
    assert "Cancelled" in text
    assert "Sita" in text


@pytest.mark.money
def test_cash_is_recorded_in_parts_with_a_reference_on_the_desk(desk: Desk, place: Place) -> None:
    """U4"""
    purchase = place()
    shown = desk.open(PAGE, purchase.pk)
    form = {
        field["name"]: field.get("value", "") for field in shown.select('form[action$="/received/"] input[name]')
    }  # fmt: skip

    part = desk.post("loyalink_khalti_order_received", purchase.pk, **form | {
        "received-amount": "1,000", "received-reference": "R-77", "received": "record",
    })  # fmt: skip
    again = desk.post("loyalink_khalti_order_received", purchase.pk, **form | {
        "received-amount": "1,000", "received-reference": "R-77", "received": "record",
    })  # fmt: skip

    assert "Recorded. Rs 1,500.00 is left to pay." in page_text(part)
    assert "R-77" in page_text(part)
    assert "Paid in part" in page_text(part)
    assert "Recorded. Rs 1,500.00 is left to pay." in page_text(again)
    assert purchase.received_money.count() == 1
    assert [action for action, *_rest in logged()] == ["loyalink_khalti.receive"]


def test_what_was_typed_stays_when_the_amount_is_wrong(desk: Desk, place: Place) -> None:
    """U4"""
    purchase = place()

    page = desk.post(
        "loyalink_khalti_order_received", purchase.pk, received="record",
        **{"received-amount": "9,999", "received-reference": "R-78", "received-key": "k", "received-seen": "0",
           "received-received_on": day_of(purchase.created_at).isoformat()},
    )  # fmt: skip

    assert page.select_one("[name=received-amount]")["value"] == "9,999"
    assert page.select_one("[name=received-reference]")["value"] == "R-78"
    assert "Yes, more than is left to pay has arrived" in page_text(page)


@pytest.mark.money
def test_an_order_of_any_method_is_cancelled_and_refunded_from_its_page(desk: Desk, place: Place) -> None:
    """U1"""
    unpaid, paid = place("N-1"), place("N-2", PaymentMethod.BANK_TRANSFER)
    flow.mark_received(paid, actor="1")

    question = desk.open("loyalink_khalti_order_cancel", unpaid.pk)
    cancelled = desk.post("loyalink_khalti_order_cancel", unpaid.pk)
    preview = desk.post("loyalink_khalti_order_refund", paid.pk, quantity_0="1", restock_0="on")

    assert "Cancel this order?" in page_text(question)
    assert "The order is cancelled." in page_text(cancelled)
    assert preview.select_one("[name=confirm]") is not None
    assert Refund.objects.filter(purchase=unpaid).count() == 1


def test_who_may_only_look_finds_no_button_and_changes_nothing(urls: None, place: Place) -> None:
    """U1"""
    purchase, desk = place(), Desk(staff_user("viewer", "view_payment"))

    page = desk.open(PAGE, purchase.pk)
    for name in ("cancel", "refund", "received", "mail", "apply_refunds"):
        desk.post(f"{PAGE}_{name}", purchase.pk, status=403)

    assert page.select("main form button") == []
    assert not Refund.objects.exists()


def test_a_part_of_the_desk_adds_its_section_and_its_buttons_by_one_line(
    desk: Desk, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """U1"""
    button = sections.OrderButton(label="Issue the invoice", url="/somewhere/")
    monkeypatch.setattr(sections, "BUTTONS", [lambda _request, _purchase: [button]])
    monkeypatch.setattr(sections, "SECTIONS", [lambda _request, _purchase: None])

    page = desk.open(PAGE, place().pk)

    assert page.find("a", string="Issue the invoice")["href"] == "/somewhere/"


@pytest.mark.money
def test_a_reference_that_paid_another_order_is_asked_about(place: Place) -> None:
    """U5"""
    first, second = place("T-1", PaymentMethod.BANK_TRANSFER), place("T-2", PaymentMethod.BANK_TRANSFER)
    day = day_of(first.created_at)
    typed = {
        "received-amount": "1,000", "received-received_on": day.isoformat(), "received-reference": "nic-77",
        "received-key": "k", "received-seen": "0",
    }  # fmt: skip
    entry = flow.record_received(
        first, amount=Paisa(100), received_on=day, reference="NIC-77", key="a", actor="1"
    ).entry

    asked = ReceivedForm(typed, purchase=second)
    ticked = ReceivedForm(typed | {"received-shared": "on"}, purchase=second)
    same_order = ReceivedForm(typed | {"received-seen": str(entry and entry.pk)}, purchase=first)

    assert asked.errors == {
        "reference": ["Order N-T-1 was paid with this reference. Correct it, or tick the box below."]
    }
    assert asked.is_shared
    assert ticked.is_valid()
    assert same_order.is_valid()
    assert entry is not None
    flow.reverse_received(entry, reason="wrong order", key="b", actor="1")
    assert ReceivedForm(typed, purchase=second).is_valid()
