"""Items of Wagtail's menu and dashboard, for staff with a permission."""

from typing import Any

from django.http import HttpRequest
from wagtail.admin.menu import MenuItem
from wagtail.admin.site_summary import SummaryItem

from . import permissions


class PermissionMenuItem(MenuItem):
    """A menu item for users with a permission."""

    def __init__(self, label: Any, url: Any, *, permission: str, **kwargs: Any) -> None:
        super().__init__(label, url, **kwargs)
        self.permission = permission

    def is_shown(self, request: HttpRequest) -> bool:
        return permissions.has_permission(request.user, self.permission)


class NumberItem(SummaryItem):
    """A number with a link to the page that explains it."""

    template_name = "loyalink_khalti/staff/summary_item.html"

    def __init__(self, request: HttpRequest, *, icon: str, number: str, label: Any, url: str, order: int) -> None:
        super().__init__(request)
        self.order = order
        self.context = {"icon": icon, "number": number, "label": label, "url": url}

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return self.context
