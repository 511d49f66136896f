"""What staff do at the counter in Wagtail's site history: figures alone, never an address, a number or a code."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.log_actions import LogActionRegistry, LogFormatter, log

from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.payments.counter_sales import CounterRefund, CounterSale

SOLD = "loyalink_khalti.counter_sale"
REFUNDED = "loyalink_khalti.counter_refund"
CODE_RENEWED = "loyalink_khalti.counter_code"


def record_sale(sale: CounterSale) -> None:
    """Log a sale of the current user."""
    data = {"amount": sale.amount, "earned": sale.points_earned, "redeemed": sale.points_redeemed}
    log(instance=sale, action=SOLD, title=_title(sale), data=data)


def record_refund(refund: CounterRefund) -> None:
    """Log a refund of the current user."""
    data = {
        "amount": refund.amount, "money": refund.money, "restored": refund.points_restored,
        "reversed": refund.points_clawed_back,
    }  # fmt: skip
    log(instance=refund.sale, action=REFUNDED, title=_title(refund.sale), data=data)


def record_new_code(sale: CounterSale) -> None:
    """Log that the current user has printed a new claim code."""
    log(instance=sale, action=CODE_RENEWED, title=_title(sale), data={})


def _title(sale: CounterSale) -> str:
    return _("Bill %(number)s") % {"number": sale.bill_number}


class _Sold(LogFormatter):
    label: Any = gettext_lazy("Counter sale")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        values = {
            "amount": npr(data["amount"]), "earned": formats.number(data["earned"]),
            "redeemed": formats.number(data["redeemed"]),
        }  # fmt: skip
        return _("Counter sale of %(amount)s: points given: %(earned)s, used: %(redeemed)s") % values


class _Refunded(LogFormatter):
    label: Any = gettext_lazy("Refund a counter sale")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        values = {
            "money": npr(data["money"]), "restored": formats.number(data["restored"]),
            "reversed": formats.number(data["reversed"]),
        }  # fmt: skip
        text = _("Refunded %(money)s of a counter sale: points returned: %(restored)s, reversed: %(reversed)s")
        return text % values


class _CodeRenewed(LogFormatter):
    label: Any = gettext_lazy("Print a new claim code")
    message: Any = gettext_lazy("Printed a new claim code; the one before is void")


def register(actions: LogActionRegistry) -> None:
    """Register the texts of the site history."""
    for action, formatter in {SOLD: _Sold, REFUNDED: _Refunded, CODE_RENEWED: _CodeRenewed}.items():
        actions.register_action(action)(formatter)
