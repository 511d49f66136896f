"""The form with which staff write a note on an order or a payment, and the notes as events of a history."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.notes import LONGEST_NOTE, PurchaseNote

from .action_log import log_note
from .refund_form import new_key
from .timeline import Event


class NoteForm(forms.Form):
    """A note; ``key`` writes it once, however often the form is sent."""

    text = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy(
            "For colleagues. It stays, with your name and the time, and is erased with the customer's data."
        ),
        error_messages={"required": gettext_lazy("Enter the note.")},
    )
    key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={"key": new_key()}, prefix="note")

    def clean(self) -> dict[str, Any]:
        if "key" in self.errors:
            raise ValidationError(_("This form is incomplete. Please open the page again."))
        return super().clean() or {}


def write_note(form: NoteForm, purchase: Purchase, *, user: Any, payment: Payment | None = None) -> None:
    """Write what a valid form says, once, and log that it was written. Raises ``CannotRecord``."""
    data = form.cleaned_data
    key = f"{purchase.pk}:{data['key']}"
    result = flow.add_note(purchase, text=data["text"], key=key, actor=str(user.pk), payment=payment)
    if result.is_new:
        log_note(result.note, user=user)


def note_event(note: PurchaseNote, names: dict[str, str]) -> Event:
    """Return a note as an event; ``names`` are e-mail addresses of staff by their pk."""
    return Event(
        at=note.written_at,
        icon="comment",
        title=_("Note"),
        detail=note.text or _("erased with the customer's data"),
        actor=names.get(note.actor or "", note.actor or ""),
    )
