"""``{% load loyalink_khalti %}``: filters for money, points and times, and the bar of a pending payment."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.template.context import RequestContext
from django.template.loader import render_to_string
from django.templatetags.tz import do_timezone
from django.urls import get_script_prefix
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from loyalink_khalti import flow, nepal
from loyalink_khalti.conf import formats
from loyalink_khalti.money import paisa
from loyalink_khalti.storefront.look import stylesheets
from loyalink_khalti.storefront.middleware import pending_payment_bar
from loyalink_khalti.storefront.receipts import pdf_path
from loyalink_khalti.token_pages import brand

PAISA = Decimal("0.01")
EMPTY = (None, "")
"""Nothing, and what Django makes of a variable that a template does not have."""
register = template.Library()


@register.filter
def npr(amount: int | None) -> str:
    """Return paisa as rupees: ``Rs 1,23,456.50`` or ``रु १,२३,४५६.५०``; "" for None."""
    return "" if amount in EMPTY else formats.npr(int(amount or 0))


@register.filter
def rupees(amount: Decimal | None) -> str:
    """Return an amount that a shop has in rupees, as ``npr`` writes it; "" for None."""
    return "" if amount in EMPTY else formats.npr(paisa(Decimal(amount or 0).quantize(PAISA, ROUND_HALF_UP)))


@register.filter("points")
@register.filter("number")
def points(number: int | None) -> str:
    """Return points, or any other whole number, grouped as in Nepal: ``1,23,456`` or ``१,२३,४५६``; "" for None."""
    return "" if number in EMPTY else formats.number(int(number or 0))


@register.filter
def digits(text: object) -> str:
    """Return a text (1.5, 50 %) with its digits as the reader expects them; "" for None."""
    return "" if text is None else formats.digits(text)


@register.filter
def day(value: date | None) -> str:
    """Return a date, or the day of a moment in Nepal, by the setting ``CALENDAR``; "" for None."""
    return formats.day(value) if value else ""


@register.filter
def moment(value: datetime | None) -> str:
    """Return a day and the time of day in Nepal: ``1 December 2026, 14:05``; "" for None."""
    return formats.moment(value) if value else ""


@register.filter
def time_of_day(value: datetime | None) -> str:
    """Return the time of day in Nepal: ``14:05``; "" for None."""
    return formats.time_of_day(value) if value else ""


@register.filter
def last_day(expires_at: datetime) -> date:
    """Return the last day, in Nepal, on which points that expire at this moment can be used."""
    return nepal.day_of(expires_at - timedelta(seconds=1))


@register.filter
def nepal_time(moment: datetime | None) -> datetime | str:
    """Return a moment to be shown in Nepal's time, whatever ``TIME_ZONE`` is; "" for None."""
    return do_timezone(moment, nepal.KATHMANDU) if moment else ""


@register.simple_tag(takes_context=True)
def loyalink_pending_payment(context: RequestContext) -> SafeString:
    """Render the bar of a pending payment here instead of at the top of the page."""
    request = context.get("request")
    return mark_safe(pending_payment_bar(request) if request is not None else "")  # noqa: S308 - rendered by a template


@register.simple_tag(takes_context=True)
def loyalink_site_header(context: RequestContext) -> SafeString:
    """Render ``elements/site_header.html``: the shop's name and logo, and the way home."""
    return _with_shop(context, "loyalink_khalti/elements/site_header.html")


@register.simple_tag(takes_context=True)
def loyalink_site_footer(context: RequestContext) -> SafeString:
    """Render ``elements/site_footer.html``: how to reach the shop."""
    return _with_shop(context, "loyalink_khalti/elements/site_footer.html")


def _with_shop(context: RequestContext, template_name: str) -> SafeString:
    request = context.get("request")
    shop = brand.shop_of(request) if request is not None else None
    return render_to_string(template_name, {"shop": shop, "home": get_script_prefix()})


@register.simple_tag
def loyalink_styles(*pieces: str) -> SafeString:
    """Link the stylesheets of our pages, and those of ``pieces``: ``{% loyalink_styles "page" %}``.

    A piece that may stand on any page links its own; a site that links them in its head spares the page a jump.
    """
    links = ((address,) for address in stylesheets(*pieces))
    return format_html_join("\n", '<link rel="stylesheet" href="{}">', links)


@register.simple_tag
def loyalink_receipt(shop: str, ref: str) -> flow.Receipt | None:
    """Return the receipt of a host's order, or None: ``{% loyalink_receipt "oscar" order.number as receipt %}``."""
    return flow.receipt_for(shop, ref)


@register.simple_tag
def loyalink_receipt_pdf(receipt: flow.Receipt) -> str:
    """Return the path of a receipt as a PDF file, "" where there is none. Only on a page of its customer alone."""
    return pdf_path(receipt)
