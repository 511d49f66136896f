"""Printing: the first one is the original, every other one a copy with its number."""

from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.payments.invoices import Invoice, InvoicePrint


def record_print(invoice: Invoice, *, key: str, actor: str | None) -> InvoicePrint:
    """Record that a document is printed and return which printing it is; once per ``key``, which is a form's.

    ``actor`` is the user's pk, None for the customer. Raises ``InsideTransaction``.
    """
    forbid_transaction("record_print")

    def work() -> InvoicePrint:
        locked = Invoice.objects.select_for_update().get(pk=invoice.pk)
        known = InvoicePrint.objects.filter(key=key, invoice=locked).first()
        if known is not None:
            return known
        number = InvoicePrint.objects.filter(invoice=locked).count()
        return InvoicePrint.objects.create(invoice=locked, number=number, key=key, actor=actor)

    return in_one_block(work)
