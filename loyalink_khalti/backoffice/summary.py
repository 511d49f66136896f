"""On the first page of Wagtail's admin, among the numbers: members, their points, and what these are worth."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from wagtail.admin.site_summary import SummaryItem

from loyalink_khalti.loyalty import reports
from loyalink_khalti.money import npr
from loyalink_khalti.staff import may

from . import links
from .reports.columns import signed


class NumberItem(SummaryItem):
    """A number that leads on to where it comes from."""

    template_name = "loyalink_khalti/backoffice/summary_item.html"

    def __init__(self, request: HttpRequest, *, icon: str, number: str, words: Any, url: str, order: int) -> None:
        super().__init__(request)
        self.order = order
        self.told = {"icon": icon, "number": number, "words": words, "url": url}

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return self.told


def add_items(request: HttpRequest, items: list[Any]) -> None:
    """For whoever may see where they come from; two statements for all of them."""
    members, books = may.may(request.user, may.VIEW_MEMBERS), may.may(request.user, may.VIEW_BOOKS)
    if not members and not books:
        return
    now = reports.standing()
    movement = reverse("loyalink_khalti_report_movement")
    if members:
        words = ngettext("member with points", "members with points", now.members)
        url = links.members_url() or (movement if books else "")
        items.append(
            NumberItem(request, icon="group", number=signed(now.members), words=words, url=url, order=500)
        )  # fmt: skip
    if books:
        words = ngettext("point outstanding", "points outstanding", now.points)
        url = reverse("loyalink_khalti_report_ageing")
        items.append(NumberItem(request, icon="history", number=signed(now.points), words=words, url=url, order=510))
        items.append(
            NumberItem(
                request, icon="table", number=npr(now.gross), words=_("owed for points"), url=movement, order=520
            )
        )
