"""What staff do with members, in Wagtail's log: points and codes, never a name or a note of somebody to be erased."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.log_actions import LogActionRegistry, LogFormatter, log

from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import grouped
from loyalink_khalti.staff.reasons import FreezeReason, reason_in_words

ADJUSTED = "loyalink_khalti.adjust"
FROZEN = "loyalink_khalti.freeze"
FREED = "loyalink_khalti.unfreeze"
MERGED = "loyalink_khalti.merge"
EXPORTED = "loyalink_khalti.export_member"
ERASED = "loyalink_khalti.erase_member"
ASKED = "loyalink_khalti.ask_for_hold"


def write(account: Account, action: str, **told: Any) -> None:
    """Log it under the number of the points account, which stays when the person is erased; the actor is Wagtail's."""
    log(instance=account, action=action, title=_("Member no. %(number)s") % {"number": account.pk}, data=told)


class _Adjusted(LogFormatter):
    label: Any = gettext_lazy("Adjust points")

    def format_message(self, log_entry: Any) -> str:
        number, reason = log_entry.data["points"], reason_in_words(log_entry.data["reason"])
        words = _("Took %(points)s points: %(reason)s") if number < 0 else _("Added %(points)s points: %(reason)s")
        return words % {"points": grouped(abs(number)), "reason": reason}


class _Frozen(LogFormatter):
    label: Any = gettext_lazy("Freeze a member's points")

    def format_message(self, log_entry: Any) -> str:
        return _("Froze the points: %(reason)s") % {"reason": _why(log_entry)}


class _Freed(LogFormatter):
    label: Any = gettext_lazy("Let a member's points be spent again")

    def format_message(self, log_entry: Any) -> str:
        return _("Let the points be spent again: %(reason)s") % {"reason": _why(log_entry)}


class _Merged(LogFormatter):
    label: Any = gettext_lazy("Merge members")

    def format_message(self, log_entry: Any) -> str:
        told = log_entry.data
        if "into" in told:
            return _("Merged into member no. %(number)s, with %(points)s points") % {
                "number": told["into"],
                "points": grouped(told["points"]),
            }
        return _("Took over %(points)s points of member no. %(number)s") % {
            "number": told["of"],
            "points": grouped(told["points"]),
        }


class _Exported(LogFormatter):
    label: Any = gettext_lazy("Export a member")
    message: Any = gettext_lazy("Took along all that is kept about the member")


class _Erased(LogFormatter):
    label: Any = gettext_lazy("Erase a member")

    def format_message(self, log_entry: Any) -> str:
        told = {name: log_entry.data[name] for name in ("accounts", "purchases")}
        return _("Erased the person: %(accounts)s accounts and %(purchases)s purchases are nobody's now") % told


class _Asked(LogFormatter):
    label: Any = gettext_lazy("Ask Khalti about points on hold")

    def format_message(self, log_entry: Any) -> str:
        told = {"order": log_entry.data["order"], "points": grouped(log_entry.data["points"])}
        if log_entry.data["still_held"]:
            return _("Asked Khalti about order %(order)s: its %(points)s points stay on hold") % told
        return _("Asked Khalti about order %(order)s: its %(points)s points are on hold no more") % told


def _why(log_entry: Any) -> str:
    return str(dict(FreezeReason.choices).get(log_entry.data["reason"], log_entry.data["reason"]))


def register(actions: LogActionRegistry) -> None:
    """Tell Wagtail the words for each."""
    for action, formatter in {
        ADJUSTED: _Adjusted,
        FROZEN: _Frozen,
        FREED: _Freed,
        MERGED: _Merged,
        EXPORTED: _Exported,
        ERASED: _Erased,
        ASKED: _Asked,
    }.items():
        actions.register_action(action)(formatter)
