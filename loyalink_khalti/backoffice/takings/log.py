"""The daily close in Wagtail's site history."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.log_actions import LogActionRegistry, LogFormatter, log

from loyalink_khalti.conf.formats import npr
from loyalink_khalti.payments.daily_close import DailyClose

CLOSED = "loyalink_khalti.daily_close"


def record_close(close: DailyClose) -> None:
    """Log that the current user has closed a day."""
    data = {"counted": close.counted, "difference": close.difference}
    log(instance=close, action=CLOSED, title=close.day.isoformat(), data=data)


class _Closed(LogFormatter):
    label: Any = gettext_lazy("Close a day")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        values = {"counted": npr(data["counted"]), "difference": npr(data["difference"])}
        return _("Closed the day: %(counted)s counted, difference %(difference)s") % values


def register(actions: LogActionRegistry) -> None:
    """Register the text of the site history."""
    actions.register_action(CLOSED)(_Closed)
