"""What staff do with invoices, in Wagtail's site history: numbers and figures alone, no buyer."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.log_actions import LogActionRegistry, LogFormatter, log

from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.invoices import Invoice, InvoicePrint

ISSUED = "loyalink_khalti.issue_invoice"
PRINTED = "loyalink_khalti.print_invoice"


class InvoiceIssued(LogFormatter):
    label: Any = gettext_lazy("Issue an invoice")

    def format_message(self, log_entry: Any) -> str:
        values = {"number": log_entry.data.get("number", ""), "amount": npr(Paisa(log_entry.data.get("total", 0)))}
        return _("Invoice %(number)s of %(amount)s") % values


class InvoicePrinted(LogFormatter):
    label: Any = gettext_lazy("Print an invoice")

    def format_message(self, log_entry: Any) -> str:
        values = {"number": log_entry.data.get("number", ""), "copy": log_entry.data.get("copy", 0)}
        return (_("%(number)s, copy %(copy)s") if values["copy"] else _("%(number)s, original")) % values


def log_issued(invoice: Invoice, *, user: Any) -> None:
    """Log that a user has issued an invoice."""
    data = {"number": invoice.code, "total": invoice.total}
    log(instance=invoice, action=ISSUED, user=user, title=invoice.code, data=data)


def log_printed(printing: InvoicePrint, *, user: Any) -> None:
    """Log that a user has printed a document."""
    invoice = printing.invoice
    data = {"number": invoice.code, "copy": printing.number}
    log(instance=invoice, action=PRINTED, user=user, title=invoice.code, data=data)


def register(actions: LogActionRegistry) -> None:
    """Register the texts of the site history."""
    actions.register_action(ISSUED)(InvoiceIssued)
    actions.register_action(PRINTED)(InvoicePrinted)
