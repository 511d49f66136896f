"""From Wagtail's sidebar to the shop's own back office, for staff of a shop that has one."""

import logging
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.sidebar import LinkMenuItem

from loyalink_khalti import conf

log = logging.getLogger(__name__)


def shop_page() -> str:
    """The path of the first shop that tells one; "" where none does, or a shop is not in order."""
    try:
        pages = [shop.page_for_staff("") for shop in conf.shops().values()]
    except Exception as exc:
        log.error("no link to the shop in Wagtail's menu: %s", exc, exc_info=exc)
        return ""
    return next(filter(None, pages), "")


class ShopMenuItem(MenuItem):
    """Asks the shop each time, for its path may depend on the language of who looks."""

    def __init__(self) -> None:
        super().__init__(_("Shop"), "", name="loyalink-khalti-shop", icon_name="loyalink-shop", order=900)

    def is_shown(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_staff", False)) and bool(shop_page())

    def render_component(self, request: HttpRequest) -> Any:
        return LinkMenuItem(self.name, self.label, shop_page(), icon_name=self.icon_name)
