"""``{% load loyalink_khalti_page %}``: "Buy with Khalti" on any page, and the link to the basket."""

from typing import Any

from django import template
from django.template.context import RequestContext
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from loyalink_khalti.hosts.page.basket import SessionBasket
from loyalink_khalti.hosts.page.product import KhaltiProductMixin
from loyalink_khalti.hosts.page.product_form import ProductForm, product_context

register = template.Library()
_FORMS = "_loyalink_page_forms"


@register.simple_tag(takes_context=True)
def buy_with_khalti(context: RequestContext, page: Any, *, button_text: str = "") -> SafeString | str:
    """Render the price of a page that sells, its choices, and the buttons that buy it; "" for any other page."""
    product = getattr(page, "specific", page)
    if not isinstance(product, KhaltiProductMixin):
        return ""
    form = ProductForm(product=product, prefix_id=_prefix(context, product))
    shown = product_context(product, form) | {"button_text": button_text}
    return render_to_string("loyalink_khalti/page/buy.html", shown, request=context.get("request"))


@register.simple_tag(takes_context=True)
def khalti_basket_link(context: RequestContext) -> SafeString:
    """Render the link to the basket, with how many products are in it; it costs a browser no session."""
    request = context.get("request")
    shown = {"number": SessionBasket(request).count if request and hasattr(request, "session") else 0}
    return render_to_string("loyalink_khalti/page/basket_link.html", shown)


def _prefix(context: RequestContext, product: Any) -> str:
    """Return a prefix for the ids of a form, another one where a page shows the same product twice."""
    request = context.get("request")
    shown: list[int] = getattr(request, _FORMS, [])
    if request is not None:
        setattr(request, _FORMS, [*shown, product.pk])
    before = shown.count(product.pk)
    return f"{product.pk}-{before + 1}" if before else str(product.pk)
