"""The forms of an order's page."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.hosts.page.models import Order, OrderStatus
from loyalink_khalti.payments.models import Purchase

from .order_status import next_statuses


class StatusForm(forms.Form):
    """The next status. ``seen`` is the one that the page has shown."""

    status = forms.ChoiceField(label=_("New status"), error_messages={"required": _("Choose a status.")})
    notify = forms.BooleanField(label=_("Send the customer a mail that the order is sent"), required=False)
    seen = forms.CharField(max_length=20, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, order: Order, purchase: Purchase | None) -> None:
        super().__init__(data, initial={"seen": order.status, "notify": True}, prefix="status")
        choices = [(status.value, status.label) for status in next_statuses(order, purchase)]
        self.has_choices = bool(choices)
        # A form that was open while the status changed is refused by ``change_status``, with a sentence that says so.
        every = [(status.value, status.label) for status in OrderStatus]
        field: Any = self.fields["status"]
        field.choices = choices if data is None else every
        if not order.email or OrderStatus.SENT not in dict(choices):
            del self.fields["notify"]


class NoteForm(forms.Form):
    """A note for colleagues."""

    text = forms.CharField(
        label=_("Note for colleagues"),
        help_text=_("Customers do not see it. It stays in the history, with your name."),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": _("Enter the text of the note.")},
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, prefix="note")
