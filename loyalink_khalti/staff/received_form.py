"""The forms with which staff record cash and bank transfers and correct such records, whatever the back office."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import flow
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import received, refunds
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.received import ReceivedMoney

from .fields import RupeesField
from .refund_form import new_key


class ReceivedForm(forms.Form):
    """How much has arrived, when, and the bank's reference.

    A reference that another order has, and more than is left to receive, need a box to be ticked.
    ``seen`` is the newest row when the form was shown: it is refused when a colleague has recorded another since.
    """

    amount = RupeesField(
        label=gettext_lazy("Amount received, in rupees"),
        minimum=Paisa(1),
        minimum_error=gettext_lazy("Enter an amount above 0. To correct a wrong entry, reverse it below."),
    )
    received_on = forms.DateField(
        label=gettext_lazy("Received on"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "required": gettext_lazy("Enter the day on which the money arrived."),
            "invalid": gettext_lazy("Enter the day on which the money arrived, as in 2026-11-30."),
        },
    )
    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        help_text=gettext_lazy("The bank's reference or the number of a receipt, if there is one."),
        max_length=128,
        required=False,
    )
    shared = forms.BooleanField(label=gettext_lazy("Yes, one payment was for both orders"), required=False)
    more = forms.BooleanField(label=gettext_lazy("Yes, more than is left to pay has arrived"), required=False)
    key = forms.CharField(max_length=64, widget=forms.HiddenInput)
    seen = forms.IntegerField(widget=forms.HiddenInput, localize=False)

    def __init__(self, data: Any = None, *, purchase: Purchase) -> None:
        self.purchase, self.left = purchase, received.due(purchase)
        today = day_of(timezone.now())
        shown = {
            "amount": self.left or None, "received_on": today, "key": new_key(), "seen": received.newest_pk(purchase),
        }  # fmt: skip
        super().__init__(data, initial=shown, prefix="received")
        self.fields["received_on"].widget.attrs["max"] = today.isoformat()
        self.is_shared = False
        """Whether another order has the reference that was entered, and the box is to be shown."""
        self.exceeds = False
        """Whether more was entered than is left to receive, and the box is to be shown."""

    def clean_received_on(self) -> Any:
        day = self.cleaned_data["received_on"]
        if received.is_future(day):
            raise ValidationError(_("This day is in the future. Enter the day on which the money arrived."))
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "key" in self.errors or "seen" in self.errors:
            raise ValidationError(_("This form is incomplete. Please open the page again."))
        amount = data.get("amount")
        if received.of_key(self._key(data)) is not None:
            return data
        self._check_reference(data)
        if amount is None:
            return data
        self.exceeds = amount > self.left
        if self.exceeds and not data.get("more"):
            values = {"more": npr(Paisa(amount - self.left)), "left": npr(self.left)}
            self.add_error(
                "amount",
                _("%(left)s is left to pay, and this is %(more)s more. Correct it, or tick the box below.") % values,
            )
        return data

    def _check_reference(self, data: dict[str, Any]) -> None:
        """Ask before one reference of a bank pays a second order: most often it was entered at the wrong one."""
        other = received.of_reference(data.get("reference") or "", besides=self.purchase)
        self.is_shared = other is not None
        if other is not None and not data.get("shared"):
            text = _("Order %(order)s was paid with this reference. Correct it, or tick the box below.")
            self.add_error("reference", text % {"order": other.number or other.ref})

    def record(self, *, actor: str) -> flow.ReceivedResult:
        """Record what a valid form says, once. Raises what ``flow.record_received`` raises."""
        data = self.cleaned_data
        return flow.record_received(
            self.purchase,
            amount=data["amount"],
            received_on=data["received_on"],
            reference=data["reference"],
            key=self._key(data),
            seen=data["seen"],
            actor=actor,
        )

    def _key(self, data: dict[str, Any]) -> str:
        return f"{self.purchase.pk}:form:{data['key']}"  # never that of a reversal, whatever the browser sends


class CorrectionForm(forms.Form):
    """Which row was wrong, and why."""

    entry = forms.IntegerField(widget=forms.HiddenInput, localize=False)
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        error_messages={"required": gettext_lazy("Enter a reason: colleagues will need it later.")},
    )

    def __init__(self, data: Any = None, *, purchase: Purchase) -> None:
        super().__init__(data)
        self.purchase = purchase

    def clean_entry(self) -> ReceivedMoney:
        entry = self.purchase.received_money.filter(pk=self.cleaned_data["entry"]).first()
        if entry is None:
            raise ValidationError(_("This order has no such entry. Please open the page again."))
        return entry

    def correct(self, *, actor: str) -> flow.ReceivedResult:
        """Reverse the row, once. Raises what ``flow.reverse_received`` raises."""
        entry = self.cleaned_data["entry"]
        return flow.reverse_received(
            entry, reason=self.cleaned_data["reason"], key=f"{self.purchase.pk}:reverse:{entry.pk}", actor=actor
        )


class SurplusForm(forms.Form):
    """How much of a surplus was refunded by hand."""

    amount = RupeesField(
        label=gettext_lazy("Amount handed to the customer, in rupees"),
        minimum=Paisa(1),
        minimum_error=gettext_lazy("Enter an amount above 0."),
    )
    key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, purchase: Purchase) -> None:
        super().__init__(
            data, initial={"amount": purchase.surplus or None, "key": new_key()}, prefix="surplus"
        )  # fmt: skip
        self.purchase = purchase


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSummary:
    """What a page shows about the money of an order that is paid in cash or by bank transfer, as text."""

    due: str
    received: str
    left: str
    """"" once nothing is left to receive, or while the order is cancelled."""
    surplus: str
    """"" without a surplus."""
    is_cancelled: bool
    can_place_again: bool
    """Whether the surplus is all that is due for an order that was cancelled."""
    rows: list["ReceivedRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRow:
    """A row of received money as a page lists it."""

    row: ReceivedMoney
    amount: str
    actor: str
    """Who recorded it: an e-mail address, "" where that is not known."""
    is_reversed: bool


def summary(purchase: Purchase) -> ReceivedSummary:
    """Return what a page shows about the money of an order."""
    is_cancelled = refunds.cancellation(purchase) is not None
    left = received.due(purchase)
    return ReceivedSummary(
        due=npr(Paisa(purchase.amount_due)),
        received=npr(purchase.received),
        left=npr(left) if left and not is_cancelled else "",
        surplus=npr(Paisa(purchase.surplus)) if purchase.surplus else "",
        is_cancelled=is_cancelled,
        can_place_again=is_cancelled and purchase.surplus >= purchase.amount_due,
        rows=_rows(purchase),
    )


def _rows(purchase: Purchase) -> list[ReceivedRow]:
    rows = received.rows(purchase)
    names = flow.member_emails(row.actor for row in rows)
    return [
        ReceivedRow(
            row=row,
            amount=npr(Paisa(row.amount)),
            actor=names.get(row.actor or "", row.actor or ""),
            is_reversed=hasattr(row, "reversed_by"),
        )
        for row in rows
    ]
