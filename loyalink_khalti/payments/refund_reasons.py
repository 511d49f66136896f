"""Why money goes back: the reasons that every shop has, by their codes. Editors add their own, which are texts."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

OTHER = "other"
"""Says nothing by itself, so it needs a note."""

REASONS: dict[str, Promise] = {
    "returned": _("Returned by the customer"),
    "damaged": _("Damaged or faulty"),
    "wrong_item": _("Another product than ordered"),
    "not_delivered": _("Not delivered"),
    "not_available": _("Not available any more"),
    "mistake": _("Mistake in the order or its price"),
    "goodwill": _("Goodwill"),
    OTHER: _("Other reason"),
}


def reason_label(reason: str) -> str:
    """Return what the desk calls a reason as a Refund keeps it: a code of ours, or a shop's own text."""
    return str(REASONS.get(reason, reason))
