"""``{% load loyalink_khalti %}``: filters for money, points and times, and the bar of a pending payment."""

from datetime import date, datetime, timedelta

from django import template
from django.template.context import RequestContext
from django.templatetags.tz import do_timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from loyalink_khalti import money, nepal
from loyalink_khalti.money import Paisa
from loyalink_khalti.storefront.look import stylesheets
from loyalink_khalti.storefront.middleware import pending_payment_bar

register = template.Library()


@register.filter
def npr(amount: int | None) -> str:
    """Return paisa as rupees: ``Rs 1,23,456.50``; "" for None."""
    return "" if amount is None else money.npr(Paisa(int(amount)))


@register.filter
def points(number: int | None) -> str:
    """Return points grouped as in Nepal: ``1,23,456``; "" for None."""
    return "" if number is None else nepal.group_digits(int(number))


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


@register.simple_tag
def loyalink_styles(*pieces: str) -> SafeString:
    """Link the stylesheets of our pages, and those of ``pieces``: ``{% loyalink_styles "page" %}``.

    A piece that may stand on any page links its own; a site that links them in its head spares the page a jump.
    """
    links = ((address,) for address in stylesheets(*pieces))
    return format_html_join("\n", '<link rel="stylesheet" href="{}">', links)
