"""Notes of staff on an order or a payment. They move nothing, so one's own order is not refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import CannotRecord
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.notes import LONGEST_NOTE, PurchaseNote


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteResult:
    """A note, and whether this call has written it."""

    note: PurchaseNote
    is_new: bool


def add_note(purchase: Purchase, *, text: str, key: str, actor: str, payment: Payment | None = None) -> NoteResult:
    """Write a note on an order, or on one of its payments, once per ``key``; ``actor`` is the user's pk.

    Raises ``CannotRecord`` with a message for staff: for an empty text, one that is too long, and a key that was used
    for another text.
    """
    text = text.strip()
    if not text:
        raise CannotRecord(_("Enter the note."))
    if len(text) > LONGEST_NOTE:
        raise CannotRecord(_("A note has at most %(number)s characters.") % {"number": LONGEST_NOTE})
    values = {"purchase": purchase, "payment": payment, "text": text, "actor": actor, "written_at": database_now()}
    note, is_new = PurchaseNote.objects.get_or_create(key=key, defaults=values)
    if not is_new and (note.purchase_id, note.payment_id, note.text) != (purchase.pk, payment and payment.pk, text):
        raise CannotRecord(_("This form was sent before with another text. Please open the page again."))
    return NoteResult(note=note, is_new=is_new)


def note_data(note: PurchaseNote, attempts: Mapping[int, int]) -> dict[str, Any]:
    """Return a note ready for JSON; ``attempts`` are the numbers of the payments by their pk."""
    attempt = attempts.get(note.payment_id or 0)
    return {"text": note.text, "written_at": note.written_at.isoformat(), "attempt": attempt}
