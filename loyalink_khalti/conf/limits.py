"""How much a member of staff may give back or adjust without a permission of its own; editors set it per site."""

from django.apps import apps

from loyalink_khalti.money import Paisa, Points

from .servers import chosen, of_site


def refund_limit(key: str) -> Paisa | None:
    """The most cash of one order that anybody who may refund gives back, in paisa; None: no limit."""
    found = chosen(key)
    return None if found is None or found.refund_limit is None else Paisa(found.refund_limit)


def adjust_limit(key: str) -> Points | None:
    """The most points of one member that anybody who may adjust moves in a day; None: no limit."""
    found = apps.get_model("loyalink_khalti", "LoyaltySettings").objects.filter(**of_site(key)).first()
    return None if found is None or found.adjust_limit is None else Points(found.adjust_limit)
