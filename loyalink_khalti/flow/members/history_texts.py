"""What a member reads of each line of the points history, and why an account is blocked."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from loyalink_khalti.conf import formats
from loyalink_khalti.loyalty.buckets import EntryKind
from loyalink_khalti.loyalty.ledger import HistoryLine

ADDED = {
    "sign_up": gettext_lazy("Welcome gift"),
    "goodwill": gettext_lazy("Gift from the shop"),
    "complaint": gettext_lazy("Gift after your complaint"),
    "correction": gettext_lazy("Correction by the shop"),
    "opening balance": gettext_lazy("Points from before"),
    "opening": gettext_lazy("Points from before"),
    "import": gettext_lazy("Points from before"),
}
"""By the reason of an adjustment that adds points: the codes of ``staff.choices`` and those of the ledger.

A bonus of your own (``earning.MemberBonus``) has its line here; without one it is "Added by the shop".
"""
DEDUCTED = {"correction": gettext_lazy("Correction by the shop")}
OF_ORDERS = {
    EntryKind.CLAW_BACK: gettext_lazy("Reversed after a refund"),
    EntryKind.RESTORE: gettext_lazy("Returned after a refund"),
    EntryKind.LATE_CAPTURE: EntryKind.CAPTURE.label,
    EntryKind.RELEASE: gettext_lazy("Returned: not paid"),
}
"""Where a member reads more than the kind of the entry."""
BLOCKED = {
    "asked": gettext_lazy("You have asked the shop to block your points."),
    "doubt": gettext_lazy("The shop has seen something unusual on your account and wants to check it with you."),
    "abuse": gettext_lazy("The shop says that points on this account were used against the terms of the programme."),
}
"""By the code of ``staff.choices.BlockReason``."""


def history_text(line: HistoryLine) -> str:
    """Return what a line of the history is, for its member."""
    if line.is_used:
        return str(EntryKind.CAPTURE.label)
    if line.kind == EntryKind.ADJUST:
        return _adjustment(line)
    if line.kind == EntryKind.WRITE_OFF:
        return _("Lost points that repay a debt") if line.is_debt else _("Lost by leaving the programme")
    silent = {EntryKind.ACTIVATE: _now_available, EntryKind.REPAY: _repaid, EntryKind.FORGIVE: _forgiven}
    return silent[line.kind](line.amount) if line.kind in silent else str(OF_ORDERS.get(line.kind, line.kind.label))


def counter_text(text: str, bill_number: str) -> str:
    """Return the text of a line that is about a sale at the counter, with the number of its bill."""
    return _("%(text)s: in our shop, bill %(number)s") % {"text": text, "number": bill_number}


def _adjustment(line: HistoryLine) -> str:
    if line.points > 0:
        return str(ADDED.get(line.reason) or _("Added by the shop"))
    return str(DEDUCTED.get(line.reason) or _("Deducted by the shop"))


def _now_available(points: int) -> str:
    text = ngettext("%(points)s point can be used now", "%(points)s points can be used now", points)
    return text % {"points": formats.number(points)}


def _repaid(points: int) -> str:
    text = ngettext("%(points)s point repaid what you owed", "%(points)s points repaid what you owed", points)
    return text % {"points": formats.number(points)}


def _forgiven(points: int) -> str:
    text = ngettext(
        "%(points)s point of a refund was written off by the shop",
        "%(points)s points of a refund were written off by the shop",
        points,
    )
    return text % {"points": formats.number(points)}


def block_text(reason: str) -> str:
    """Return why a member's points are blocked, a sentence for the member."""
    return str(BLOCKED.get(reason) or _("The shop has blocked your points."))
