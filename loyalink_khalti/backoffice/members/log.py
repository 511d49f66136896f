"""Staff actions on members in Wagtail's log: points and codes, never a name or a note, which can be erased."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.log_actions import LogActionRegistry, LogFormatter, log

from loyalink_khalti.conf import formats
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.staff.choices import reason_label, reason_of_block

ADJUSTED = "loyalink_khalti.adjust"
BLOCKED = "loyalink_khalti.block"
UNBLOCKED = "loyalink_khalti.unblock"
MERGED = "loyalink_khalti.merge"
MEMBER_EXPORTED = "loyalink_khalti.export_member"
ERASED = "loyalink_khalti.erase_member"
CHECKED = "loyalink_khalti.check_hold"
UPLOADED = "loyalink_khalti.upload_points"


def record(account: Account, action: str, **data: Any) -> None:
    """Log an action of the current user under the account's number, which stays when personal data is erased."""
    log(instance=account, action=action, title=_("Member no. %(number)s") % {"number": account.pk}, data=data)


class _Adjusted(LogFormatter):
    label: Any = gettext_lazy("Adjust points")

    def format_message(self, log_entry: Any) -> str:
        points, reason = log_entry.data["points"], reason_label(log_entry.data["reason"])
        if points < 0:
            message = ngettext(
                "Deducted %(points)s point: %(reason)s", "Deducted %(points)s points: %(reason)s", abs(points)
            )
        else:
            message = ngettext("Added %(points)s point: %(reason)s", "Added %(points)s points: %(reason)s", points)
        return message % {"points": formats.number(abs(points)), "reason": reason}


class _Blocked(LogFormatter):
    label: Any = gettext_lazy("Block a member")

    def format_message(self, log_entry: Any) -> str:
        return _("Blocked: %(reason)s") % {"reason": _block_reason(log_entry)}


class _Unblocked(LogFormatter):
    label: Any = gettext_lazy("Unblock a member")

    def format_message(self, log_entry: Any) -> str:
        return _("Unblocked: %(reason)s") % {"reason": _block_reason(log_entry)}


class _Merged(LogFormatter):
    label: Any = gettext_lazy("Merge members")

    def format_message(self, log_entry: Any) -> str:
        data, points = log_entry.data, formats.number(log_entry.data["points"])
        if "into" in data:
            message, number = _("Merged into member no. %(number)s (points: %(points)s)"), data["into"]
        else:
            message, number = _("Merged from member no. %(number)s (points: %(points)s)"), data["of"]
        return message % {"number": number, "points": points}


class _Exported(LogFormatter):
    label: Any = gettext_lazy("Export personal data")
    message: Any = gettext_lazy("Exported the personal data of the member")


class _Erased(LogFormatter):
    label: Any = gettext_lazy("Erase personal data")

    def format_message(self, log_entry: Any) -> str:
        accounts, purchases = log_entry.data["accounts"], log_entry.data["purchases"]
        counts = {
            "accounts": ngettext("%(number)s account", "%(number)s accounts", accounts) % {"number": accounts},
            "purchases": ngettext("%(number)s purchase", "%(number)s purchases", purchases) % {"number": purchases},
        }
        return _("Erased personal data (%(accounts)s, %(purchases)s): the points are written off") % counts


class _Checked(LogFormatter):
    label: Any = gettext_lazy("Check reserved points")

    def format_message(self, log_entry: Any) -> str:
        data = {"order": log_entry.data["order"], "points": formats.number(log_entry.data["points"])}
        if log_entry.data["still_held"]:
            return _("Checked order %(order)s at Khalti: its points (%(points)s) stay reserved") % data
        return _("Checked order %(order)s at Khalti: its points (%(points)s) are no longer reserved") % data


class _Uploaded(LogFormatter):
    label: Any = gettext_lazy("Upload points")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        values = {
            "rows": formats.number(data["rows"]), "added": formats.number(data["added"]),
            "deducted": formats.number(data["deducted"]), "reason": reason_label(data["reason"]),
        }  # fmt: skip
        text = _("Points of a file, %(rows)s rows (%(reason)s): %(added)s added, %(deducted)s deducted")
        return text % values


def _block_reason(log_entry: Any) -> str:
    return reason_of_block(log_entry.data["reason"])


def register(actions: LogActionRegistry) -> None:
    """Register the texts of the site history."""
    for action, formatter in {
        ADJUSTED: _Adjusted,
        BLOCKED: _Blocked,
        UNBLOCKED: _Unblocked,
        MERGED: _Merged,
        MEMBER_EXPORTED: _Exported,
        ERASED: _Erased,
        CHECKED: _Checked,
        UPLOADED: _Uploaded,
    }.items():
        actions.register_action(action)(formatter)
