"""What every page of the desk has from us: two icons, and a small style sheet."""

from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString


def icons(names: list[str]) -> list[str]:
    return [*names, "loyalink_khalti/icons/loyalink-rupee.svg", "loyalink_khalti/icons/loyalink-shop.svg"]


def stylesheet() -> SafeString:
    """Small, and the same on every page, so that a chip is a chip wherever it stands."""
    return format_html('<link rel="stylesheet" href="{}">', static("loyalink_khalti/desk.css"))
