"""Whether Khalti can take what somebody is about to pay, and if not, why, in words for the shopper."""

from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, npr

from .people import is_staff


def khalti_off(*, site_key: str, member_id: str | None, total: Paisa, payable: Paisa) -> str:
    """Why Khalti is not offered for an order of ``total`` paisa, ``payable`` of them after points; "" where it is."""
    options = conf.khalti_options(site_key)
    if options.why_off:
        return _(options.why_off)
    if why := _not_for(options.audience, member_id):
        return why
    if 0 < payable < KHALTI_MINIMUM:
        words = {"least": npr(KHALTI_MINIMUM), "payable": npr(payable)}
        return _("Khalti takes no less than %(least)s, and %(payable)s is to be paid.") % words
    if total < options.minimum_order:
        return _("This shop takes Khalti for orders from %(least)s on.") % {"least": npr(options.minimum_order)}
    if options.maximum_order is not None and total > options.maximum_order:
        return _("This shop takes Khalti for orders up to %(most)s.") % {"most": npr(options.maximum_order)}
    return ""


def _not_for(audience: str, member_id: str | None) -> str:
    if audience == conf.MEMBERS and member_id is None:
        return _("Log in to pay with Khalti.")
    if audience == conf.STAFF and not is_staff(member_id):
        return _("Khalti is being tried out in this shop and is not open to customers yet.")
    return ""
