"""Why staff do something to a member's points: a code that is stored, and words for it. No text about a person."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AdjustReason(TextChoices):
    """Why points are added or taken by hand."""

    GOODWILL = "goodwill", _("Goodwill")
    CORRECTION = "correction", _("Correction")
    COMPLAINT = "complaint", _("Complaint")
    OPENING = "opening balance", _("Opening balance")
    OTHER = "other", _("Something else")


class FreezeReason(TextChoices):
    """Why the points of a member are frozen, or freed again."""

    ASKED = "asked", _("The member asked for it")
    DOUBT = "doubt", _("Something looks wrong")
    ABUSE = "abuse", _("The points were abused")
    CLEARED = "cleared", _("It is cleared up")
    OTHER = "other", _("Something else")


CHOOSE = ("", _("Choose one"))

_OTHERS = {"merge": _("Two members became one"), "import": _("Import"), "opening": AdjustReason.OPENING.label}


def reason_in_words(code: str) -> str:
    """What staff read for a code; the code itself where a command or a shop has made it up."""
    known = {**dict(AdjustReason.choices), **_OTHERS}
    return str(known.get(code, code))
