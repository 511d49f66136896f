"""What staff type at the counter: the bill, the customer, the points; and how much of a bill is refunded."""

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotSell
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import ascii_digits, day_of
from loyalink_khalti.payments.counter_sales import CounterMethod, CounterRefundReason
from loyalink_khalti.staff.choices import EMPTY_CHOICE
from loyalink_khalti.staff.fields import RupeesField, WholeNumberField, key_field, text_input
from loyalink_khalti.staff.sites import has_several_sites, site_choices

OLDEST_BILL = timedelta(days=30)
"""An older bill is a typing error, or its customer has come too late."""


class SaleForm(forms.Form):
    """A counter sale. ``member`` is asked where several accounts have one number, ``is_another`` for a used number."""

    site = forms.ChoiceField(label=gettext_lazy("Site"))
    customer = forms.CharField(
        label=gettext_lazy("Customer's e-mail address or mobile number"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
        help_text=gettext_lazy("A customer without an account gets a code on the receipt, to claim the points later."),
        error_messages={"required": gettext_lazy("Enter the customer's e-mail address or mobile number.")},
    )
    member = forms.ChoiceField(label=gettext_lazy("Which account?"), widget=forms.RadioSelect, required=False)
    bill_number = forms.CharField(
        label=gettext_lazy("Bill number"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Enter the number of the bill.")},
    )
    is_another = forms.BooleanField(
        label=gettext_lazy("Yes, this is another bill with the same number"), required=False
    )
    bill_day = forms.DateField(
        label=gettext_lazy("Day of the bill"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages=dict.fromkeys(
            ("required", "invalid"), gettext_lazy("Enter the day of the bill, as in 2026-11-30.")
        ),
    )
    amount = RupeesField(
        label=gettext_lazy("Amount of the bill, in rupees"),
        minimum=Paisa(1),
        minimum_error=gettext_lazy("Enter the amount of the bill."),
        help_text=gettext_lazy("What the customer buys for, before points."),
    )
    method = forms.ChoiceField(label=gettext_lazy("Paid by"), choices=CounterMethod.choices)
    points = WholeNumberField(
        label=gettext_lazy("Points to use"),
        required=False,
        help_text=gettext_lazy("Only if the customer wants to pay with points. Empty: none."),
    )
    code = forms.CharField(
        label=gettext_lazy("Code of the points card"),
        max_length=20,
        required=False,
        widget=text_input("numeric", 8),
        help_text=gettext_lazy("The customer's points card shows it with “Show code”; it is good for ten minutes."),
    )
    key = key_field()

    def __init__(self, data: Any = None, *, site_key: str) -> None:
        today = day_of(timezone.now())
        super().__init__(data, initial={"bill_day": today, "site": site_key, "method": CounterMethod.CASH})
        self.fields["bill_day"].widget.attrs.update(
            {"max": today.isoformat(), "min": (today - OLDEST_BILL).isoformat()}
        )
        self.site_key = site_key
        site: Any = self.fields["site"]
        site.choices = site_choices() if has_several_sites() else []
        if not site.choices:
            del self.fields["site"]
        self.found: flow.CounterCustomer | None = None
        self.is_repeated = False
        """Whether the number of the bill was used before, so that the box is to be shown."""

    @property
    def fields_to_show(self) -> list[Any]:
        """The visible fields, without the questions that are not asked."""
        silent = set() if self.is_repeated else {"is_another"}
        asked: Any = self.fields["member"]
        if not asked.choices:
            silent.add("member")
        return [field for field in self.visible_fields() if field.name not in silent]

    def clean_bill_day(self) -> Any:
        day, today = self.cleaned_data["bill_day"], day_of(timezone.now())
        if day > today:
            raise ValidationError(_("This day is in the future."))
        if day < today - OLDEST_BILL:
            raise ValidationError(_("A bill of more than 30 days ago gives no points any more."))
        return day

    def clean_member(self) -> str:
        """Validated by ``clean``: its choices depend on the customer."""
        return str(self.data.get("member") or "")

    def _clean_fields(self) -> None:
        """Find the customer before ``member`` is validated against the accounts."""
        site = str(self.data.get("site") or self.site_key)
        try:
            self.found = flow.find_customer(str(self.data.get("customer") or ""), site_key=site)
        except CannotSell as exc:
            self._not_found = str(exc)
        else:
            self._not_found = ""
            if len(self.found.members) > 1:
                asked: Any = self.fields["member"]
                asked.choices = [(pk, f"{contact} · {contact.email}") for pk, contact in self.found.members]
        super()._clean_fields()  # type: ignore[misc]  # django-stubs does not have it

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self._not_found and "customer" not in self.errors:
            self.add_error("customer", self._not_found)
        elif self.found is not None and len(self.found.members) > 1 and not data.get("member"):
            self.add_error("member", _("Several accounts have this number. Choose one."))
        if data.get("points") and not data.get("code"):
            self.add_error("code", _("Enter the code that the customer's points card shows."))
        return data

    @property
    def order(self) -> flow.CounterOrder:
        """The bill of a valid form."""
        data, customer = self.cleaned_data, self.found
        assert customer is not None
        members = [pk for pk, _contact in customer.members]
        member_id = data.get("member") or (members[0] if members else None)
        return flow.CounterOrder(
            site_key=data.get("site") or self.site_key, bill_number=data["bill_number"], bill_day=data["bill_day"],
            amount=Paisa(data["amount"]), method=data["method"], member_id=member_id, email=customer.email,
            phone=customer.phone, points=Points(data.get("points") or 0), code=ascii_digits(data.get("code") or ""),
            is_another=bool(data.get("is_another")),
        )  # fmt: skip

    @property
    def contact(self) -> Any:
        """The account's name and address; None for a customer without an account."""
        found = dict(self.found.members) if self.found else {}
        return found.get(self.order.member_id or "")


class CounterRefundForm(forms.Form):
    """How much of a bill goes back, why, and how the money is paid out."""

    amount = RupeesField(
        label=gettext_lazy("Amount of the bill to refund, in rupees"),
        minimum=Paisa(1),
        minimum_error=gettext_lazy("Enter how much to refund."),
        help_text=gettext_lazy("At the price before points. What points paid of it goes back as points."),
    )
    reason = forms.ChoiceField(label=gettext_lazy("Reason"), choices=[EMPTY_CHOICE, *CounterRefundReason.choices])
    method = forms.ChoiceField(label=gettext_lazy("Paid out by"), choices=CounterMethod.choices)
    key = key_field()
