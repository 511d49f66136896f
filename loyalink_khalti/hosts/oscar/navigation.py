"""From Oscar's dashboard to Wagtail's admin: one menu entry, with the pages that each member of staff may open.

It is added at the end automatically. A shop that wants it elsewhere adds it in its settings::

    from loyalink_khalti.hosts.oscar.navigation import WAGTAIL

    OSCAR_DASHBOARD_NAVIGATION.insert(1, WAGTAIL)
"""

from typing import Any

from django.conf import settings
from django.urls import NoReverseMatch, get_script_prefix, reverse, set_script_prefix
from django.utils.translation import gettext_lazy as _
from oscar.apps.dashboard.nav import default_access_fn

from loyalink_khalti.staff.permissions import VIEW_ENTRIES, VIEW_MEMBERS, VIEW_PAYMENTS, has_permission

_OSCARS_OWN = "oscar.apps.dashboard.nav.default_access_fn"
_ACCESS_ADMIN = "wagtailadmin.access_admin"
_PERMISSIONS = {
    "wagtailadmin_home": _ACCESS_ADMIN,
    "loyalink_khalti_payments": VIEW_PAYMENTS,
    "loyalink_khalti_members": VIEW_MEMBERS,
    "loyalink_khalti_report_movement": VIEW_ENTRIES,
}


def can_open(user: Any, url_name: str | None, _args: Any = None, _kwargs: Any = None) -> bool:
    """Return whether a page of Wagtail's admin exists and this user may open it. Oscar calls this for each entry."""
    if url_name is None:  # the entry itself; Oscar leaves it out if it has no children
        return True
    permitted = has_permission(user, _ACCESS_ADMIN) and has_permission(user, _PERMISSIONS[url_name])
    return permitted and bool(admin_page(url_name))


def admin_page(url_name: str, *args: Any) -> str:
    """Return the path of a page in Wagtail's admin, "" if there is no such page."""
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
        _entry(_("Orders and payments"), "loyalink_khalti_payments"),
        _entry(_("Members"), "loyalink_khalti_members"),
        _entry(_("Reports"), "loyalink_khalti_report_movement"),
    ],
}


def can_open_in_dashboard(user: Any, url_name: str | None, url_args: Any = None, url_kwargs: Any = None) -> bool:
    """Return whether this user may open a page of Oscar's dashboard.

    Oscar's own function (4.2) looks a page up by its address; below a path (``FORCE_SCRIPT_NAME``) it finds none, and
    the dashboard fails.
    """
    prefix = get_script_prefix()
    set_script_prefix("/")
    try:
        return bool(default_access_fn(user, url_name, url_args, url_kwargs))
    finally:
        set_script_prefix(prefix)


def add_menu_entry() -> None:
    """Add the entry at the end of Oscar's menu, unless the shop has added it; let the menu work below a path."""
    if settings.OSCAR_DASHBOARD_DEFAULT_ACCESS_FUNCTION == _OSCARS_OWN:
        settings.OSCAR_DASHBOARD_DEFAULT_ACCESS_FUNCTION = f"{__name__}.{can_open_in_dashboard.__name__}"
    if WAGTAIL not in settings.OSCAR_DASHBOARD_NAVIGATION:
        settings.OSCAR_DASHBOARD_NAVIGATION = [*settings.OSCAR_DASHBOARD_NAVIGATION, WAGTAIL]
