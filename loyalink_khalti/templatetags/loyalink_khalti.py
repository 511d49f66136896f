"""``{% load loyalink_khalti %}``: how money and points are written, and the waiting-payment bar."""

from datetime import date, datetime, timedelta

from django import template
from django.template.context import RequestContext
from django.utils.safestring import SafeString, mark_safe

from loyalink_khalti import money
from loyalink_khalti.loyalty.expiry import day_of
from loyalink_khalti.money import Paisa
from loyalink_khalti.storefront.middleware import bar_for

register = template.Library()


@register.filter
def npr(amount: int | None) -> str:
    """Paisa as rupees: ``Rs 1,23,456.50``."""
    return "" if amount is None else money.npr(Paisa(int(amount)))


@register.filter
def points(number: int | None) -> str:
    """Points, grouped as in Nepal: ``1,23,456``."""
    return "" if number is None else ("−" if int(number) < 0 else "") + money.grouped(abs(int(number)))


@register.filter
def last_day(expires_at: datetime) -> date:
    """The last day, in Nepal, on which points that expire at a moment can be spent."""
    return day_of(expires_at - timedelta(seconds=1))


@register.simple_tag(takes_context=True)
def loyalink_waiting_payment(context: RequestContext) -> SafeString:
    """The bar of a waiting payment, here rather than on top of the page."""
    request = context.get("request")
    return mark_safe(bar_for(request) if request is not None else "")  # noqa: S308 - rendered by a template
