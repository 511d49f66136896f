"""From Oscar's dashboard into Wagtail's admin: one entry of its menu, with what each member of staff may open there.

It is added at the end by itself. A shop that wants it elsewhere puts it there in its settings::

    from loyalink_khalti.hosts.oscar.navigation import WAGTAIL

    OSCAR_DASHBOARD_NAVIGATION.insert(1, WAGTAIL)
"""

from typing import Any

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.staff.may import VIEW_BOOKS, VIEW_MEMBERS, VIEW_PAYMENTS, may

_ADMIN = "wagtailadmin.access_admin"
_NEEDED = {
    "wagtailadmin_home": _ADMIN,
    "loyalink_khalti_payments": VIEW_PAYMENTS,
    "loyalink_khalti_members": VIEW_MEMBERS,
    "loyalink_khalti_report_movement": VIEW_BOOKS,
}


def can_open(user: Any, url_name: str | None, _args: Any = None, _kwargs: Any = None) -> bool:
    """Whether a page of Wagtail's admin is there, and this user may open it; Oscar asks so of each entry."""
    if url_name is None:  # the entry itself, which Oscar leaves out where nothing stands under it
        return True
    return may(user, _ADMIN) and may(user, _NEEDED[url_name]) and bool(page(url_name))


def page(url_name: str, *args: Any) -> str:
    """The path of a page in Wagtail's admin, "" where there is no such page."""
    try:
        return reverse(url_name, args=args)
    except NoReverseMatch:
        return ""


def _entry(label: Any, url_name: str) -> dict[str, Any]:
    return {"label": label, "url_name": url_name, "access_fn": can_open}


WAGTAIL: dict[str, Any] = {
    "label": _("Content and points"),
    "icon": "fas fa-pen-nib",
    "access_fn": can_open,
    "children": [
        _entry(_("Pages"), "wagtailadmin_home"),
        _entry(_("Payments"), "loyalink_khalti_payments"),
        _entry(_("Members"), "loyalink_khalti_members"),
        _entry(_("Reports"), "loyalink_khalti_report_movement"),
    ],
}


def lead_to_wagtail() -> None:
    """Add the entry at the end of Oscar's menu, unless the shop has put it somewhere."""
    if WAGTAIL not in settings.OSCAR_DASHBOARD_NAVIGATION:
        settings.OSCAR_DASHBOARD_NAVIGATION = [*settings.OSCAR_DASHBOARD_NAVIGATION, WAGTAIL]
