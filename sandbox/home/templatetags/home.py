"""``{% load home %}``: addresses as editors type them."""

from django import template
from django.urls import get_script_prefix

register = template.Library()


@register.filter
def in_site(address: str) -> str:
    """Return an address of this site ("/shop/") with the path below which the site is served; any other unchanged."""
    is_path = address.startswith("/") and not address.startswith("//")
    return f"{get_script_prefix()}{address[1:]}" if is_path else address
