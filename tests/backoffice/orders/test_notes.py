"""Notes of staff on an order or a payment: written once, never changed, erased with the customer's data."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRecord, LoyalinkError
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.notes import PurchaseNote
from tests.backoffice.pages import page_text
from tests.backoffice.payments.test_page import logged
from tests.backoffice.staff import Desk, staff_user

pytestmark = pytest.mark.django_db(transaction=True)

Place = Callable[..., Purchase]
WORDS = "Sita calls back on Sunday"


def sent(text: str = WORDS) -> dict[str, str]:
    return {"note-text": text, "note-key": "form-1"}


def test_a_note_has_its_author_and_time_and_is_written_once(desk: Desk, place: Place) -> None:
    """U6"""
    purchase = place()

    page = desk.post("loyalink_khalti_order_note", purchase.pk, **sent())
    desk.post("loyalink_khalti_order_note", purchase.pk, **sent())

    (note,) = PurchaseNote.objects.all()
    assert (note.text, note.actor) == (WORDS, str(desk.user.pk))
    assert WORDS in page_text(page)
    assert "by maya@example.com" in page_text(page)


def test_the_site_history_says_that_a_note_was_written_and_not_what(desk: Desk, paid: Payment) -> None:
    """U6"""
    desk.post("loyalink_khalti_payment_note", paid.pk, **sent())

    assert logged() == [("loyalink_khalti.write_note", "Wrote a note on an order or a payment", "maya")]
    assert WORDS in page_text(desk.page(paid))
    assert WORDS in page_text(desk.open("loyalink_khalti_order", paid.purchase_id))


def test_an_empty_note_is_refused_and_a_form_that_is_used_again_keeps_its_text(desk: Desk, place: Place) -> None:
    """U6"""
    purchase = place()
    desk.post("loyalink_khalti_order_note", purchase.pk, **sent())

    empty = desk.post("loyalink_khalti_order_note", purchase.pk, **sent(" "))
    other = desk.post("loyalink_khalti_order_note", purchase.pk, **sent("Another text"))

    assert "Enter the note." in page_text(empty)
    assert "This form was sent before with another text." in page_text(other)
    assert other.select_one("textarea").get_text(strip=True) == "Another text"
    with pytest.raises(CannotRecord):
        flow.add_note(purchase, text="x" * 2001, key="k", actor="1")


def test_a_note_is_never_changed_nor_deleted(place: Place) -> None:
    """U6"""
    note = flow.add_note(place(), text=WORDS, key="k", actor="1").note

    with pytest.raises(LoyalinkError):
        note.delete()
    with pytest.raises(LoyalinkError):
        PurchaseNote.objects.update(text="")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM loyalink_khalti_purchasenote")


def test_notes_are_exported_and_erased_with_the_customers_data(place: Place) -> None:
    """U6"""
    purchase = place()
    flow.add_note(purchase, text=WORDS, key="k", actor="1")
    guest = flow.guest_subject("sita@example.com")
    assert guest is not None

    (exported,) = flow.export_personal_data(guest)[1]
    flow.erase_personal_data(guest)

    assert exported["notes"][0]["text"] == WORDS
    assert PurchaseNote.objects.get().text == ""


def test_who_may_not_write_notes_has_no_form_and_is_refused(urls: None, place: Place) -> None:
    """U6"""
    purchase, desk = place(), Desk(staff_user("viewer", "view_payment"))

    assert desk.open("loyalink_khalti_order", purchase.pk).select("#note") == []
    desk.post("loyalink_khalti_order_note", purchase.pk, status=403, **sent())
    assert not PurchaseNote.objects.exists()
