"""Menu items of Wagtail's admin: Payments, Loyalty and the link to the shop's own back office."""

import logging
from typing import Any

from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem
from wagtail.admin.ui.sidebar import LinkMenuItem

from loyalink_khalti import conf
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.admin_items import PermissionMenuItem

log = logging.getLogger(__name__)

LOYALTY_MENU_HOOK = "register_loyalink_khalti_loyalty_menu_item"
"""A hook of our own: what it registers becomes an item of the menu "Loyalty"."""

loyalty_menu = Menu(register_hook_name=LOYALTY_MENU_HOOK)


def payments_item() -> PermissionMenuItem:
    return PermissionMenuItem(
        _("Orders and payments"),
        reverse("loyalink_khalti_payments"),
        permission=permissions.VIEW_PAYMENTS,
        name="loyalink-khalti-payments",
        icon_name="loyalink-rupee",
        order=800,
    )


def invoices_item() -> PermissionMenuItem:
    return PermissionMenuItem(
        _("Invoices"),
        reverse_lazy("loyalink_khalti_invoices"),
        permission=permissions.VIEW_INVOICES,
        name="loyalink-khalti-invoices",
        icon_name="doc-full",
        order=803,
    )


def daily_close_item() -> PermissionMenuItem:
    return PermissionMenuItem(
        _("Daily close"),
        reverse("loyalink_khalti_daily_close"),
        permission=permissions.VIEW_PAYMENTS,
        name="loyalink-khalti-daily-close",
        icon_name="calendar",
        order=99,
    )


def loyalty_item() -> SubmenuMenuItem:
    return SubmenuMenuItem(_("Loyalty"), loyalty_menu, name="loyalink-khalti-loyalty", icon_name="pick", order=810)


def members_item() -> PermissionMenuItem:
    return PermissionMenuItem(
        _("Members"),
        reverse_lazy("loyalink_khalti_members"),
        permission=permissions.VIEW_MEMBERS,
        name="loyalink-khalti-members",
        icon_name="group",
        order=10,
    )


def counter_item() -> PermissionMenuItem:
    return PermissionMenuItem(
        _("Counter"),
        reverse_lazy("loyalink_khalti_counter"),
        permission=permissions.USE_COUNTER,
        name="loyalink-khalti-counter",
        icon_name="pick",
        order=5,
    )


def statements_item() -> PermissionMenuItem:
    return PermissionMenuItem(
        _("Statements"),
        reverse_lazy("loyalink_khalti_statements"),
        permission=permissions.VIEW_PAYMENTS,
        name="loyalink-khalti-statements",
        icon_name="table",
        order=805,
    )


class ShopMenuItem(MenuItem):
    """A link to the shop's own back office, for staff; its URL may depend on the user's language."""

    def __init__(self) -> None:
        super().__init__(_("Shop"), "", name="loyalink-khalti-shop", icon_name="loyalink-shop", order=900)

    def is_shown(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_staff", False)) and bool(shop_staff_url())

    def render_component(self, request: HttpRequest) -> Any:
        return LinkMenuItem(self.name, self.label, shop_staff_url(), icon_name=self.icon_name)


def shop_staff_url() -> str:
    """Return the URL of the first shop with a back office of its own; "" if there is none or a shop fails to load.

    A shop whose orders are pages of Wagtail's admin has menu items there.
    """
    try:
        urls = [shop.staff_page("") for shop in conf.shops().values()]
    except Exception as exc:
        log.error("no link to the shop in Wagtail's menu: %s", exc, exc_info=exc)
        return ""
    admin = reverse("wagtailadmin_home")
    return next((url for url in urls if url and not url.startswith(admin)), "")
