"""Oscar's filter ``currency`` with rupees as the rest of the shop writes them, by the setting ``DIGITS``.

A site puts it in the place of Oscar's, so that Oscar's own templates and mails have it too:
``TEMPLATES[0]["OPTIONS"]["libraries"] = {"currency_filters": "loyalink_khalti.hosts.oscar.currency_filters"}``.
"""

from typing import Any

from django import template
from django.conf import settings
from oscar.templatetags import currency_filters

from loyalink_khalti.conf import formats
from loyalink_khalti.money import paisa

register = template.Library()
RUPEES = "NPR"


@register.filter
def currency(value: Any, code: str | None = None) -> str:
    """Return an amount with its currency; Oscar's own text for another currency than rupees, and parts of a paisa."""
    text = str(currency_filters.currency(value, code))
    if not text or (code or settings.OSCAR_DEFAULT_CURRENCY) != RUPEES:
        return text
    try:
        return formats.npr(paisa(currency_filters.D(value)))
    except ValueError:
        return formats.digits(text)
