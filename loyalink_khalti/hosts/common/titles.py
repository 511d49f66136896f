"""The title of a product in every language of the shop, to be stored with an order."""

from collections.abc import Callable
from typing import Any

from django.conf import global_settings, settings
from django.utils.translation import get_language, override


def other_titles(read: Callable[[], object]) -> dict[str, str]:
    """Return what ``read`` returns in the shop's other languages, by their codes, where that differs from now.

    For a host whose titles follow the active language: django-modeltranslation, gettext. The languages are those of
    ``LANGUAGES``, if the site has set them.
    """
    default: Any = global_settings.LANGUAGES
    if default == settings.LANGUAGES:  # Django's own, a hundred of them
        return {}
    now, found = str(read()), {}
    for code, _name in settings.LANGUAGES:
        if code != get_language():
            with override(code):
                found[code] = str(read())
    return {code: title for code, title in found.items() if title and title != now}
