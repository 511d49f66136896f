"""Refund a counter sale, in full or in part: the money over the counter, the points both ways by the ledger.

The staff say how much of the bill goes back, at its price before points. What is paid out, restored and clawed back is
the share of it; any number of parts sums to the whole.
"""

from dataclasses import dataclass

from django.db.models import Min
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.clock import DatabaseTime, database_now
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotRefund, RefundLimitExceeded
from loyalink_khalti.flow.members.limits import LIMIT_PERIOD
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing, self_dealing_obstacle
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.counter_sales import CounterRefund, CounterSale, money_refunded


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterRefundQuote:
    """What a refund of ``amount`` paisa of the bill pays out and does to the points."""

    amount: Paisa
    money: Paisa
    points_restored: Points
    points_clawed_back: Points


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRefund:
    """A refund, and whether this call has recorded it."""

    refund: CounterRefund
    is_new: bool


def quote_counter_refund(
    sale: CounterSale, amount: Paisa, *, actor: str, may_exceed_limit: bool = False
) -> CounterRefundQuote:
    """Return what a refund does. Raises ``CannotRefund`` with a message for staff; writes nothing."""
    _check_amount(sale, amount)
    if obstacle := self_dealing_obstacle(actor, members=[sale.earner], email=sale.email, phone=sale.phone):
        raise CannotRefund(obstacle)
    money = sale.money_for(amount)
    if not may_exceed_limit and (obstacle := _obstacle(conf.refund_limits(sale.site_key), sale, money, actor)):
        raise RefundLimitExceeded(obstacle)
    moved = ledger.preview_refund(
        purchase=sale.purchase, refunded_so_far=Paisa(sale.refunded + amount), subtotal=Paisa(sale.amount)
    )
    return CounterRefundQuote(
        amount=amount, money=money, points_restored=moved.points_restored, points_clawed_back=moved.points_clawed_back
    )


def refund_counter_sale(
    pk: int, amount: Paisa, *, key: str, reason: str, method: str, actor: str, may_exceed_limit: bool = False
) -> RecordedRefund:
    """Refund ``amount`` paisa of a bill, once per ``key`` (of the form); all in one transaction.

    Raises ``CannotRefund`` with a message for staff, among them ``SelfDealing`` and ``RefundLimitExceeded``; and
    ``InsideTransaction``.
    """
    forbid_transaction("refund_counter_sale")

    def refund() -> RecordedRefund:
        limits = None if may_exceed_limit else _locked_limits(pk)
        sale = CounterSale.objects.select_for_update().get(pk=pk)
        if (earlier := CounterRefund.objects.filter(key=key).first()) is not None:
            return _repeated(earlier, sale, amount)
        forbid_self_dealing(actor, StaffAction.REFUND, members=[sale.earner], email=sale.email, phone=sale.phone)
        _check_amount(sale, amount)
        money = sale.money_for(amount)
        if limits is not None and (obstacle := _obstacle(limits, sale, money, actor)):
            raise RefundLimitExceeded(obstacle)
        sale.refunded, sale.refunded_money = sale.refunded + amount, sale.refunded_money + money
        sale.save(update_fields=["refunded", "refunded_money"])
        moved = ledger.refund(
            purchase=sale.purchase, refund_ref=f"counter:{key}", refunded_so_far=Paisa(sale.refunded),
            subtotal=Paisa(sale.amount),
        )  # fmt: skip
        row = CounterRefund.objects.create(
            sale=sale, key=key, amount=amount, money=money, points_restored=moved.points_restored,
            points_clawed_back=moved.points_clawed_back, reason=reason, method=method, actor=actor,
            refunded_at=database_now(),
        )  # fmt: skip
        return RecordedRefund(refund=row, is_new=True)

    return in_one_block(refund)


def _locked_limits(pk: int) -> conf.RefundLimits:
    """The limits come before the sale, so that two refunds of one actor at the same moment count each other."""
    return conf.refund_limits(CounterSale.objects.values_list("site_key", flat=True).get(pk=pk), lock=True)


def _repeated(earlier: CounterRefund, sale: CounterSale, amount: Paisa) -> RecordedRefund:
    if earlier.sale_id != sale.pk or earlier.amount != amount:
        raise CannotRefund(_("A refund with other figures was already recorded with this form. Open it again."))
    return RecordedRefund(refund=earlier, is_new=False)


def _check_amount(sale: CounterSale, amount: Paisa) -> None:
    if not sale.left:
        raise CannotRefund(_("Nothing of this bill is left to refund."))
    if amount <= 0:
        raise CannotRefund(_("Enter how much to refund."))
    if amount > sale.left:
        raise CannotRefund(_("Only %(left)s of this bill is left to refund.") % {"left": npr(sale.left)})


def _obstacle(limits: conf.RefundLimits, sale: CounterSale, money: Paisa, actor: str) -> str:
    """Which limit of refunds this one exceeds; refunds at the counter count among themselves."""
    ask = _("Ask a colleague with permission for larger refunds.")
    if limits.per_order is not None and sale.refunded_money + money > limits.per_order:
        text = _("Staff may refund up to %(limit)s of one bill.")
        return f"{text % {'limit': npr(limits.per_order)}} {ask}"
    if limits.per_actor is not None:
        used = _paid_out_by(actor, sale.site_key)
        if used + money > limits.per_actor:
            text = _("You may refund up to %(limit)s of all bills together per day. Left now: %(left)s.")
            left = npr(max(limits.per_actor - used, 0))
            return f"{text % {'limit': npr(limits.per_actor), 'left': left}} {ask}"
    return ""


def _paid_out_by(actor: str, site_key: str) -> Paisa:
    made = CounterRefund.objects.filter(actor=actor, sale__site_key=site_key)
    first = made.filter(refunded_at__gt=DatabaseTime(-LIMIT_PERIOD)).aggregate(pk=Min("pk"))["pk"]
    return Paisa(0) if first is None else money_refunded(made.filter(pk__gte=first))
