"""``{% load loyalink_khalti %}``: filters for money, points and times, points on pages, and the payment bar."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django import template
from django.db.models import QuerySet
from django.template.context import Context, RequestContext
from django.template.loader import render_to_string
from django.templatetags.tz import do_timezone
from django.urls import get_script_prefix
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalink_khalti import flow, nepal, shown_points
from loyalink_khalti.conf import formats
from loyalink_khalti.money import Paisa, paisa
from loyalink_khalti.shown_points import PointsToEarn
from loyalink_khalti.storefront.invoices import invoice_links
from loyalink_khalti.storefront.look import stylesheets
from loyalink_khalti.storefront.middleware import pending_payment_bar
from loyalink_khalti.storefront.receipts import pdf_path
from loyalink_khalti.token_pages import brand

PAISA = Decimal("0.01")
EMPTY: tuple[Any, ...] = (None, "")
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


@register.filter
def npr_short(amount: int | None) -> str:
    """Return paisa as they stand in a sentence: ``Rs 120``, with paisa only where there are some; "" for None."""
    return "" if amount in EMPTY else formats.rupees(int(amount or 0))


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


@register.simple_tag
def loyalink_invoices(receipt: flow.Receipt) -> list[tuple[str, str]]:
    """Return the titles and paths of an order's invoice and credit notes. Only on a page of its customer alone."""
    return invoice_links(receipt)


# Points on pages of a shop. Each tag renders an element (templates/loyalink_khalti/elements/) that a site overrides.


@register.inclusion_tag("loyalink_khalti/elements/points_to_earn.html", takes_context=True)
def points_to_earn(context: Context, thing: Any, *, tags: str = "", login_url: str = "") -> dict[str, Any]:
    """Render what a product, a basket or a quote earns; nothing where it earns nothing.

    Of a product it is what one unit earns by its price: never more than an order of it earns. A price in paisa stands
    for a product, with the tags of its categories: ``{% points_to_earn 199900 tags="own:12" %}``. A list of products
    is computed at once, when the first of them is rendered. A guest reads what a member would earn.
    """
    request = context.get("request")
    if isinstance(thing, int):
        thing = shown_points.unit_of(Paisa(thing), tuple(filter(None, tags.split(","))))
    else:
        _compute_siblings(context, thing)
    earns = shown_points.to_earn(thing, request)
    # An order of a member who has left earns nothing: what is asked here of each card is known already.
    is_member = shown_points.member_id(request) is not None if earns.is_order else shown_points.is_member(request)
    login = {"url": login_url, "text": _("Log in")} if login_url and not is_member else None
    return {"earns": earns, "is_member": is_member, "text": _earns_text(earns, is_member=is_member), "login": login}


def _earns_text(earns: PointsToEarn, *, is_member: bool) -> SafeString:
    """Return the sentence. A list has it on every card, so that it is not put together by a template."""
    number = earns.points
    if not number:
        return mark_safe("")
    if earns.is_order and is_member:
        text = ngettext(
            "This order earns you <strong>%(points)s point</strong>.",
            "This order earns you <strong>%(points)s points</strong>.",
            number,
        )
    elif earns.is_order:
        text = ngettext(
            "A member would earn <strong>%(points)s point</strong> with this order.",
            "A member would earn <strong>%(points)s points</strong> with this order.",
            number,
        )
    elif is_member and earns.or_more:
        text = ngettext(
            "Earn <strong>%(points)s point</strong> or more",
            "Earn <strong>%(points)s points</strong> or more",
            number,
        )
    elif is_member:
        text = ngettext("Earn <strong>%(points)s point</strong>", "Earn <strong>%(points)s points</strong>", number)
    elif earns.or_more:
        text = ngettext(
            "A member would earn <strong>%(points)s point</strong> or more",
            "A member would earn <strong>%(points)s points</strong> or more",
            number,
        )
    else:
        text = ngettext(
            "A member would earn <strong>%(points)s point</strong>",
            "A member would earn <strong>%(points)s points</strong>",
            number,
        )
    return mark_safe(text % {"points": formats.number(number)})  # noqa: S308 - of the catalogue, and a number


def _compute_siblings(context: Context, thing: Any) -> None:
    """Compute a product's points together with those of the list of the page that it is in."""
    if shown_points.is_known(thing, context.get("request")):
        return
    for scope in context.dicts:
        for value in scope.values():
            found = _loaded(value)
            if any(each is thing for each in found):
                shown_points.of_products(found, context.get("request"))
                return


def _loaded(value: Any) -> Sequence[Any]:
    """Return the list that a value of the context is or has read, () where it would have to be read."""
    if isinstance(value, QuerySet):
        return value._result_cache or ()
    return value if isinstance(value, list | tuple) else ()


@register.inclusion_tag("loyalink_khalti/elements/points_balance.html", takes_context=True)
def points_balance(context: Context, *, url: str = "", short: bool = False) -> dict[str, Any]:
    """Render a member's points and what they are worth, linked to ``url``; nothing for a guest. One statement."""
    request = context.get("request")
    is_member = shown_points.is_member(request)
    balance = shown_points.standing(request) if is_member else None
    return {"balance": balance, "is_member": is_member, "url": url, "short": short}


@register.inclusion_tag("loyalink_khalti/elements/program_terms.html", takes_context=True)
def program_terms(context: Context, *, level: int = 2) -> dict[str, Any]:
    """Render the terms of the programme, written from its rules of now, under headings of this ``level``."""
    return {"terms": flow.program_terms(shown_points.site_key(context.get("request"))), "level": level}


@register.inclusion_tag("loyalink_khalti/elements/tiers.html", takes_context=True)
def tiers(context: Context) -> dict[str, Any]:
    """Render the tiers with what each gives, the member's own marked; nothing where there is but one."""
    request = context.get("request")
    who = shown_points.standing(request) if shown_points.is_member(request) else None
    found = flow.program_tiers(shown_points.site_key(request))
    own = "" if who is None or who.merged else who.tier or next((tier.key for tier in found), "")
    return {"tiers": found, "own_tier": own, "shows_examples": any(tier.multiplier != 1 for tier in found)}
