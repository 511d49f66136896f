"""Issue invoices and credit notes, once per cause, in one transaction: the purchase is locked first, then the series.

A document is issued for a purchase: its invoice, by itself or by staff; then a credit note for each refund that was
made; and an invoice that takes a credit note back, where that refund turns out not to have been made, or the order is
placed again. Nothing is changed or deleted. The first printing is the original, each other one a copy.
"""

from datetime import datetime, timedelta
from hashlib import sha256

from django.utils.translation import gettext as _

from loyalink_khalti import bikram_sambat, conf, outbox
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import CannotInvoice
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import invoices, refunds, transitions
from loyalink_khalti.payments.invoice_sums import Sums, vat_of_part
from loyalink_khalti.payments.invoices import DocumentKind, Invoice, InvoicePrint
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import PurchaseState, RefundKind, RefundState

from . import document
from .document import Buyer

FOLLOW = f"{__name__}.follow_purchase"
"""The message that issues what is missing; its name never changes while messages wait."""
TEST_PREFIX, CREDIT_PREFIX = "TEST-", "CN-"
PRINTING_TIME = timedelta(minutes=10)
"""How long the page of one printing can be opened, on a browser that prints it or saves its file."""


def issue_invoice(purchase: Purchase, *, actor: str, buyer: Buyer | None = None) -> Invoice:
    """Issue the invoice of a placed order, and what its refunds need; return the invoice, which exists once.

    ``actor`` is the user's pk; ``buyer`` replaces what the checkout says. A second call returns the same invoice and
    changes nothing. Raises ``CannotInvoice``, and ``SelfDealing`` for the actor's own order, with a sentence for staff
    (no number is taken then), and ``InsideTransaction``.
    """
    forbid_transaction("issue_invoice")

    def work() -> Invoice:
        locked, payments = transitions.lock_purchase(purchase.pk)
        known = invoices.first_of(locked)
        if known is None:
            forbid_self_dealing(actor, StaffAction.INVOICE, purchase=locked)
        first = known or _issue_first(locked, payments, actor=actor, buyer=buyer)
        _follow_refunds(locked, first)
        return first

    return in_one_block(work)


def invoice_obstacle(purchase: Purchase) -> str:
    """Return why no invoice of a purchase can be issued now, as a sentence for staff; "" if it can."""
    try:
        _check(purchase, conf.invoice_settings(purchase.site_key))
    except CannotInvoice as exc:
        return str(exc)
    return ""


def request_documents(purchase: Purchase, *, follows: bool = False) -> None:
    """After an event of a purchase, let the outbox issue what is missing, where its site issues invoices at all.

    ``follows``: money goes back, so that an invoice needs its credit note also where they are switched off by now.
    """
    is_on = conf.invoice_settings(purchase.site_key).is_on
    if purchase.shop and (is_on or (follows and invoices.first_of(purchase) is not None)):
        # Each event has a message of its own: one for all could be read before this event, and sent after it.
        outbox.post(FOLLOW, purchase=purchase.pk)


def follow_purchase(purchase: int) -> None:
    """Issue what is missing of a purchase, for the outbox, which may call it twice. Raises what goes wrong."""
    forbid_transaction("follow_purchase")
    if not Purchase.objects.filter(pk=purchase).exists():
        return

    def work() -> None:
        locked, payments = transitions.lock_purchase(purchase)
        first = invoices.first_of(locked)
        if first is None and _is_due(locked):
            first = _issue_first(locked, payments, actor=None, buyer=None)
        if first is not None:
            _follow_refunds(locked, first)

    in_one_block(work)


def _is_due(purchase: Purchase) -> bool:
    """Return whether the invoice of a locked purchase is issued by itself now."""
    settings = conf.read_invoice_settings(purchase.site_key)
    if not settings.is_on or settings.issue_when == conf.IssueWhen.STAFF or purchase.state != PurchaseState.PLACED:
        return False
    if settings.issue_when == conf.IssueWhen.PAID and refunds.is_awaiting_money(purchase):
        return False
    return not _is_over(purchase)


def _is_over(purchase: Purchase) -> bool:
    """Return whether nothing of the order is left to invoice: it was cancelled, or refunded in full."""
    if refunds.cancellation(purchase) is not None:
        return True
    left = refunds.refundable(purchase)
    return refunds.has_any(purchase) and not (left.subtotal > 0 or left.shipping > 0)


def _check(purchase: Purchase, settings: "conf.InvoiceSettings") -> None:
    if not settings.is_on:
        raise CannotInvoice(_("Invoices are off. Enter the PAN of the shop in Settings, Invoices."))
    if purchase.state != PurchaseState.PLACED:
        raise CannotInvoice(_("This order has not been placed."))
    if _is_over(purchase):
        raise CannotInvoice(_("This order was cancelled or refunded in full: there is nothing to invoice."))


def _issue_first(purchase: Purchase, payments: list[Payment], *, actor: str | None, buyer: Buyer | None) -> Invoice:
    settings = conf.read_invoice_settings(purchase.site_key)
    _check(purchase, settings)
    return _write(
        purchase,
        kind=DocumentKind.INVOICE,
        key=f"invoice:{purchase.pk}",
        sums=document.invoice_figures(purchase, settings),
        buyer=buyer or document.buyer_of(purchase),
        settings=settings,
        is_test=any(each.fulfilled_at and each.environment == conf.TEST for each in payments),
        actor=actor,
    )


def _follow_refunds(purchase: Purchase, first: Invoice) -> None:
    """Issue a credit note for each refund that has none, and take back those whose refund does not hold."""
    rows = list(Refund.objects.filter(purchase=purchase, kind=RefundKind.ORDER, state=RefundState.DONE).order_by("pk"))
    known = {each.key: each for each in invoices.of_purchase(purchase)}
    reversed_pks = {row.reverses_id for row in rows if row.reverses_id is not None}
    waiting = []
    for row in rows:
        note = known.get(f"refund:{row.pk}")
        holds = row.undone_at is None and row.pk not in reversed_pks
        if note is None and holds and row.reverses_id is None:
            waiting.append(row)
        elif note is not None and not holds and f"again:{row.pk}" not in known:
            _take_back(purchase, first, note, row)
    for row in waiting:
        _credit(purchase, first, row, is_last=row is waiting[-1] and _is_nothing_left(purchase))


def _credit(purchase: Purchase, first: Invoice, refund: Refund, *, is_last: bool) -> None:
    settings = _settings_of(first)
    credited, credited_vat = invoices.credited(first)
    left = first.total - credited
    total = Paisa(left if is_last else min(_credit_total(refund, settings), left))
    if not total and not (refund.subtotal or refund.shipping_price):
        return  # an order without a price was cancelled
    vat = vat_of_part(
        vat=first.vat, total=first.total, credited=credited, credited_vat=credited_vat, part=total
    )  # fmt: skip
    rows = document.credit_rows(purchase, refund, total=total)
    sums = document.credit_sums(rows, vat=vat, total=total, document=first.document)
    _write(
        purchase, kind=DocumentKind.CREDIT_NOTE, key=f"refund:{refund.pk}", sums=sums, settings=settings,
        buyer=Buyer(**first.document["buyer"]), is_test=first.is_test, actor=refund.actor, first=first,
        corrects=first, refund=refund, reason="cancelled" if refunds.is_awaiting_money(purchase) else "refund",
    )  # fmt: skip


def _credit_total(refund: Refund, settings: "conf.InvoiceSettings") -> int:
    """How much of the invoice a refund takes back, in paisa: the money or, where points are a payment, the price."""
    price = refund.subtotal + refund.shipping_price
    return price if settings.points_as == conf.PointsAs.TENDER else refund.amount


def _is_nothing_left(purchase: Purchase) -> bool:
    """Return whether nothing of the order is left after its refunds: all of the invoice is credited then."""
    if refunds.is_awaiting_money(purchase) and refunds.cancellation(purchase) is not None:
        return True
    left = refunds.refundable(purchase)
    return left.subtotal <= 0 and left.shipping <= 0


def _take_back(purchase: Purchase, first: Invoice, note: Invoice, refund: Refund) -> None:
    sums = Sums(rows=(), taxable=Paisa(note.taxable), vat=Paisa(note.vat), total=Paisa(note.total))
    _write(
        purchase, kind=DocumentKind.INVOICE, key=f"again:{refund.pk}",
        sums=document.take_back(first.document, sums), settings=_settings_of(first),
        buyer=Buyer(**first.document["buyer"]), is_test=first.is_test, actor=None, first=first, corrects=note,
        refund=refund, reason="placed_again" if refund.undone_at else "not_refunded",
    )  # fmt: skip


def _settings_of(first: Invoice) -> "conf.InvoiceSettings":
    """Return today's settings with what decides over the sums as it was when the invoice was issued."""
    now, then = conf.read_invoice_settings(first.site_key), first.document
    return conf.InvoiceSettings(
        pan=then["seller"]["pan"],
        is_vat_registered=then["seller"]["is_vat_registered"],
        prices_include_vat=then["prices_include_vat"],
        points_as=then["points_as"],
        prefix=now.prefix,
        language=then["language"],
        is_approved=now.is_approved,
    )


def _write(
    purchase: Purchase,
    *,
    kind: DocumentKind,
    key: str,
    sums: Sums,
    settings: "conf.InvoiceSettings",
    buyer: Buyer,
    is_test: bool,
    actor: str | None,
    first: Invoice | None = None,
    corrects: Invoice | None = None,
    refund: Refund | None = None,
    reason: str = "",
) -> Invoice:
    """Take the next number, under the lock of its series, and write the document with it."""
    series = _lock_series(settings, kind, is_test=is_test)
    at = database_now()  # after the wait for the lock, so that no day is before the one of an earlier number
    day = day_of(at)
    if _fiscal_year(at) != series.fiscal_year:  # it began meanwhile
        series = _lock_series(settings, kind, is_test=is_test)
    newest, newest_day = invoices.newest_of(series)
    if newest_day is not None and day < newest_day:
        raise CannotInvoice(
            _("The clock is behind: the newest document has the date %(day)s.") % {"day": newest_day.isoformat()}
        )
    number = newest + 1
    content = document.compose(
        series=series, number=number, at=at, purchase=purchase, buyer=buyer, sums=sums, settings=settings,
        corrects=corrects, reason=reason,
    )  # fmt: skip
    return Invoice.objects.create(
        series=series, kind=kind, number=number, code=series.code_of(number), purchase=purchase, invoice=first,
        corrects=corrects, refund=refund, key=key, site_key=purchase.site_key, issued_on=day, issued_at=at,
        actor=actor, is_test=is_test, buyer_name=buyer.name[:200], buyer_pan=buyer.pan, taxable=sums.taxable,
        vat=sums.vat, total=sums.total, document=content,
    )  # fmt: skip


def _lock_series(settings: "conf.InvoiceSettings", kind: DocumentKind, *, is_test: bool) -> invoices.InvoiceSeries:
    is_note = kind == DocumentKind.CREDIT_NOTE
    return invoices.lock_series(
        pan=settings.pan,
        fiscal_year=_fiscal_year(database_now()),
        kind=kind,
        is_test=is_test,
        prefix=(TEST_PREFIX if is_test else "") + (CREDIT_PREFIX if is_note else "") + settings.prefix,
        first_number=1 if is_note or is_test else settings.first_number,
    )


def _fiscal_year(at: datetime) -> str:
    try:
        return bikram_sambat.fiscal_year(day_of(at)).label
    except ImportError as exc:
        raise CannotInvoice(
            _('The fiscal year needs a library: pip install "loyalink-khalti[bikram-sambat]".')
        ) from exc
    except ValueError as exc:
        raise CannotInvoice(_("The fiscal year of this day is not known. Upgrade loyalink-khalti.")) from exc


def record_print(invoice: Invoice, *, key: str, actor: str | None) -> InvoicePrint:
    """Record that a document is printed and return which printing it is; once per ``key``, which is a form's.

    A form that is sent again after ``PRINTING_TIME`` prints another copy. ``actor`` is the user's pk, None for the
    customer. Raises ``InsideTransaction``.
    """
    forbid_transaction("record_print")

    def work() -> InvoicePrint:
        locked = Invoice.objects.select_for_update().get(pk=invoice.pk)
        # Hashed with the document: what a browser sends may be the key of another one, or no text for a database.
        stored = sha256(f"{locked.pk}:{key}".encode(errors="replace")).hexdigest()
        known = InvoicePrint.objects.filter(key=stored, invoice=locked).first()
        if known is not None and not is_printed_long_ago(known):
            known.is_repeated = True
            return known
        number = InvoicePrint.objects.filter(invoice=locked).count()
        if known is not None:
            stored = sha256(f"{stored}:{number}".encode()).hexdigest()
        return InvoicePrint.objects.create(invoice=locked, number=number, key=stored, actor=actor)

    return in_one_block(work)


def is_printed_long_ago(printing: InvoicePrint) -> bool:
    """Return whether the page of a printing is over: shown again, it would be another original."""
    return database_now() - printing.printed_at > PRINTING_TIME
