"""``{% load home %}``: addresses as editors type them, and the demo's texts in the reader's language."""

from django import template
from django.urls import get_script_prefix

from sandbox.demo import nepali

register = template.Library()


@register.filter
def in_site(address: str) -> str:
    """Return an address of this site ("/shop/") with the path below which the site is served; any other unchanged."""
    is_path = address.startswith("/") and not address.startswith("//")
    return f"{get_script_prefix()}{address[1:]}" if is_path else address


@register.filter
def in_language(text: object) -> object:
    """Return a text of the demo in the reader's language; any other one, and HTML as it came, unchanged."""
    return nepali.in_language(text) if isinstance(text, str) else text
