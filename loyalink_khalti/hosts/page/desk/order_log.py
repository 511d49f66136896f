"""What staff do with orders and stock, in Wagtail's site history: figures and codes alone, no name."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.log_actions import LogActionRegistry, LogFormatter

from loyalink_khalti.hosts.page.models import OrderStatus

STATUS_CHANGED = "loyalink_khalti_page.status"
MAIL_SENT = "loyalink_khalti_page.mail"
"""Of an earlier version; it is ``staff.action_log.MAIL_SENT`` now."""
STOCK_CHANGED = "loyalink_khalti_page.stock"


class StatusChanged(LogFormatter):
    label: Any = gettext_lazy("Change the status of an order")

    def format_message(self, log_entry: Any) -> str:
        labels = dict(OrderStatus.choices)
        before, after = (labels.get(log_entry.data[name], log_entry.data[name]) for name in ("before", "after"))
        return _("Status of the order: %(before)s → %(after)s") % {"before": before, "after": after}


class MailSent(LogFormatter):
    label: Any = gettext_lazy("Send an order's mail again")
    message: Any = gettext_lazy("A mail to the customer was sent again")


class StockChanged(LogFormatter):
    label: Any = gettext_lazy("Change the stock")

    def format_message(self, log_entry: Any) -> str:
        data: dict[str, Any] = log_entry.data
        return _("Stock: %(before)s → %(after)s (%(reason)s)") % data


def register(actions: LogActionRegistry) -> None:
    """Register the texts of the site history."""
    for action, formatter in {
        STATUS_CHANGED: StatusChanged,
        MAIL_SENT: MailSent,
        STOCK_CHANGED: StockChanged,
    }.items():
        actions.register_action(action)(formatter)
