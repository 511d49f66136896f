"""The menu "Loyalty": its items are appended through a hook of its own, each shown to whoever may open it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem

from loyalink_khalti.staff import may

LOYALTY_HOOK = "register_loyalink_khalti_loyalty_menu_item"

loyalty_menu = Menu(register_hook_name=LOYALTY_HOOK)


class GuardedItem(MenuItem):
    """An item for those who have a permission."""

    def __init__(self, label: Any, url: Any, *, permission: str, **kwargs: Any) -> None:
        super().__init__(label, url, **kwargs)
        self.permission = permission

    def is_shown(self, request: HttpRequest) -> bool:
        return may.may(request.user, self.permission)


def loyalty_item() -> SubmenuMenuItem:
    return SubmenuMenuItem(_("Loyalty"), loyalty_menu, name="loyalink-khalti-loyalty", icon_name="pick", order=810)


def members_item() -> GuardedItem:
    return GuardedItem(
        _("Members"),
        reverse_lazy("loyalink_khalti_members"),
        permission=may.VIEW_MEMBERS,
        name="loyalink-khalti-members",
        icon_name="group",
        order=10,
    )
