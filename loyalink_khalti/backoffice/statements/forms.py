"""What staff choose about an uploaded statement: the file, which column is what, and why a difference is closed."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from openpyxl.utils.cell import get_column_letter

from loyalink_khalti import flow
from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.nepal import shorten
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.statement_values import DateOrder, Mapping, Unit
from loyalink_khalti.staff.fields import ReasonField, WholeNumberField, key_field
from loyalink_khalti.staff.sites import has_several_sites, site_choices
from loyalink_khalti.staff.uploaded_table import TableRow

COLUMNS = ("transaction_id", "order_id", "amount", "fee", "net", "day", "kind")
_DELIMITERS = [
    ("", gettext_lazy("As recognized")),
    (",", gettext_lazy("Comma")),
    (";", gettext_lazy("Semicolon")),
    ("\t", gettext_lazy("Tab")),
    ("|", gettext_lazy("Vertical bar")),
]


class UploadForm(forms.Form):
    """The file, and of which site it is."""

    site = forms.ChoiceField(label=gettext_lazy("Site"))
    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
        help_text=gettext_lazy("CSV or XLSX, at most 5 MB and 20,000 rows. Nothing is counted before you confirm it."),
        error_messages={
            "required": gettext_lazy("Choose a file."),
            "empty": gettext_lazy("The file is empty."),
        },
    )

    def __init__(self, *args: Any, site_key: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site_key = site_key
        if has_several_sites():
            site: Any = self.fields["site"]
            site.choices, site.initial = site_choices(), site_key
        else:
            del self.fields["site"]

    @property
    def site_of_file(self) -> str:
        return str(self.cleaned_data.get("site") or self.site_key)


class MappingForm(forms.Form):
    """Which column is what. The choices are the cells of the row with the headings."""

    header = WholeNumberField(
        label=gettext_lazy("Row with the headings"),
        maximum=200,
        help_text=gettext_lazy("Rows up to this one are not read. 0: the file has no headings."),
    )
    delimiter = forms.ChoiceField(label=gettext_lazy("Columns are separated by"), choices=_DELIMITERS, required=False)
    transaction_id = forms.ChoiceField(
        label=gettext_lazy("Transaction ID"),
        required=False,
        help_text=gettext_lazy("Khalti's transaction ID or pidx. Not an ID that the bank has given by itself."),
    )
    order_id = forms.ChoiceField(
        label=gettext_lazy("Order ID"),
        required=False,
        help_text=gettext_lazy("The order's number or reference, the order ID at Khalti, or the pidx."),
    )
    amount = forms.ChoiceField(
        label=gettext_lazy("Amount"), error_messages={"required": gettext_lazy("Choose the column of the amount.")}
    )
    unit = forms.ChoiceField(label=gettext_lazy("The amounts are in"), choices=Unit.choices, widget=forms.RadioSelect)
    fee = forms.ChoiceField(label=gettext_lazy("Fee"), required=False)
    net = forms.ChoiceField(label=gettext_lazy("Net"), required=False)
    day = forms.ChoiceField(
        label=gettext_lazy("Date"), error_messages={"required": gettext_lazy("Choose the column of the date.")}
    )
    date_order = forms.ChoiceField(
        label=gettext_lazy("How dates are written"), choices=DateOrder.choices, widget=forms.RadioSelect
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind of row"),
        required=False,
        help_text=gettext_lazy("The column that tells payments from refunds. Without it, negative rows are refunds."),
    )
    payment_words = forms.CharField(label=gettext_lazy("Words for a payment"), required=False, max_length=500)
    refund_words = forms.CharField(label=gettext_lazy("Words for a refund"), required=False, max_length=500)
    other_words = forms.CharField(
        label=gettext_lazy("Words of rows to leave out"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("Separated by commas, for example: settlement, opening balance."),
    )
    format_name = forms.CharField(
        label=gettext_lazy("Keep these choices as"),
        required=False,
        max_length=60,
        help_text=gettext_lazy("They are proposed for the next file with the same headings."),
    )

    def __init__(self, *args: Any, headings: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        columns = [(str(index), _column_label(index, text)) for index, text in enumerate(headings)]
        for name in COLUMNS:
            field: Any = self.fields[name]
            field.choices = [("", _("– none –") if not field.required else _("– choose –")), *columns]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not (data.get("transaction_id") or data.get("order_id")) and "transaction_id" not in self.errors:
            self.add_error(
                "transaction_id",
                _("Choose a transaction ID or an order ID: an amount and a date alone match nothing."),
            )
        if data.get("kind") and not data.get("payment_words") and not data.get("refund_words"):
            self.add_error("payment_words", _("Enter the words that the column has for payments or refunds."))
        chosen = [name for name in COLUMNS if data.get(name)]
        for name in chosen:
            if [data[other] for other in chosen].count(data[name]) > 1:
                self.add_error(name, ValidationError(_("This column is chosen twice.")))
        return data

    @property
    def mapping(self) -> Mapping:
        """The choices of a valid form."""
        data = self.cleaned_data
        columns: dict[str, Any] = {name: int(data[name]) if data[name] else None for name in COLUMNS}
        texts = ("unit", "date_order", "payment_words", "refund_words", "other_words", "delimiter")
        return Mapping(header=data["header"], **columns, **{name: data[name] for name in texts})

    @staticmethod
    def initial_of(mapping: Mapping) -> dict[str, Any]:
        """Return the initial values of a stored mapping."""
        stored = mapping.as_json()
        return {name: "" if value is None else str(value) for name, value in stored.items()} | {
            "header": stored["header"]
        }


def _column_label(index: int, heading: str) -> str:
    letter = get_column_letter(index + 1)
    return f"{letter}: {shorten(heading, 40)}" if heading else letter


def headings_of(rows: list[TableRow], header: int) -> list[str]:
    """Return the headings; for a file without, one empty text for each column."""
    found = next((row.cells for row in rows if row.number == header), ())
    width = max([len(row.cells) for row in rows] or [0])
    return [*found, *[""] * (width - len(found))]


class ReasonForm(forms.Form):
    """Why a difference is closed or opened again, or a settled day is undone."""

    reason = ReasonField()
    key = key_field()


class AttachForm(ReasonForm):
    """The payment that a row is: one of the possible ones, or one that is named."""

    payment = forms.ChoiceField(label=gettext_lazy("Payment"), widget=forms.RadioSelect, required=False)
    named = forms.CharField(
        label=gettext_lazy("Another payment"),
        required=False,
        max_length=128,
        help_text=gettext_lazy("Its order number, order ID at Khalti, pidx or transaction ID."),
    )
    field_order = ("payment", "named", "reason", "key")

    def __init__(self, *args: Any, possible: list[Payment], site_key: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "id_attach_%s"
        self.possible, self.site_key = possible, site_key
        self.chosen: Payment | None = None
        field: Any = self.fields["payment"]
        field.choices = [(str(payment.pk), _payment_label(payment)) for payment in possible]
        if not possible:
            del self.fields["payment"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        named = str(data.get("named") or "")
        if named:
            found = flow.named_payments(self.site_key, named)
            if len(found) != 1:
                text = _("Several payments have this.") if found else _("No payment of this site has this.")
                self.add_error("named", text)
            else:
                self.chosen = found[0]
        else:
            self.chosen = next((each for each in self.possible if str(each.pk) == data.get("payment")), None)
            if self.chosen is None and "payment" not in self.errors:
                self.add_error("named", _("Choose a payment, or name one."))
        return data


def _payment_label(payment: Payment) -> str:
    name = payment.purchase.number or payment.purchase_order_id
    paid = f", {formats.moment(payment.paid_at)}" if payment.paid_at else ""
    return f"{name}, {npr(payment.captured or payment.amount)}{paid}"
