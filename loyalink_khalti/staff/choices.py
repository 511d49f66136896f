"""Reasons that staff choose from when they change a member's points: a stored code and its label."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AdjustReason(TextChoices):
    """Why staff add or deduct points."""

    GOODWILL = "goodwill", _("Goodwill")
    CORRECTION = "correction", _("Correction")
    COMPLAINT = "complaint", _("Complaint")
    OPENING = "opening balance", _("Opening balance")
    OTHER = "other", _("Other")


class BlockReason(TextChoices):
    """Why staff block or unblock a member's points."""

    ASKED = "asked", _("The member asked for it")
    DOUBT = "doubt", _("Suspicious activity")
    ABUSE = "abuse", _("Abuse of points")
    CLEARED = "cleared", _("The matter is resolved")
    OTHER = "other", _("Other")


EMPTY_CHOICE = ("", _("Choose one"))

_SYSTEM_REASONS = {
    "merge": _("Accounts merged"), "import": _("Import"), "opening": AdjustReason.OPENING.label,
    "sign_up": _("Sign-up bonus"), "left": _("The member left the programme"), "erased": _("The member was erased"),
}  # fmt: skip


def reason_label(code: str) -> str:
    """Return the label of a stored reason; the code itself for one of a command's or a shop's own."""
    labels = {**dict(AdjustReason.choices), **_SYSTEM_REASONS}
    return str(labels.get(code, code))


def reason_of_block(code: str) -> str:
    """Return the label of why a member is blocked, "" where no reason was given."""
    return str(dict(BlockReason.choices).get(code, code))
