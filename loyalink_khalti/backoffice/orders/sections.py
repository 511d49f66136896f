"""What a part of the desk adds to the page of an order: a section, or buttons at its head. One line here for each.

A section is a function of the request and the purchase, which returns one of Wagtail's components, or None where there
is nothing to show or the user may not see it. Sections are shown after the order's figures and before its history.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from wagtail.admin.ui.components import Component

from loyalink_khalti.backoffice.approvals.panels import approvals_section
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.staff.record_links import record_refund_url


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderButton:
    """A button at the head of the page: a link or, where ``is_post``, a form that posts to its URL."""

    label: Any
    url: str
    is_post: bool = False
    name: str = ""
    """What the button sends as ``name=1``, where it posts."""


def record_refund_button(request: HttpRequest, purchase: Purchase) -> Iterable[OrderButton]:
    """The button for a refund that was made outside: in Khalti's dashboard, in cash or by bank."""
    if url := record_refund_url(purchase, request.user):
        yield OrderButton(label=_("Record a refund made outside"), url=url)


Section = Callable[[HttpRequest, Purchase], Component | None]
Buttons = Callable[[HttpRequest, Purchase], Iterable[OrderButton]]

SECTIONS: list[Section] = [approvals_section]
BUTTONS: list[Buttons] = [record_refund_button]


def sections(request: HttpRequest, purchase: Purchase) -> list[Component]:
    """Return the sections that are shown."""
    return [section for each in SECTIONS if (section := each(request, purchase)) is not None]


def buttons(request: HttpRequest, purchase: Purchase) -> Iterator[OrderButton]:
    """Yield the buttons that this user may press."""
    for each in BUTTONS:
        yield from each(request, purchase)
