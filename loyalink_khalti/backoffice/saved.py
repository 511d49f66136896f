"""What an editor is told after saving settings, beside Wagtail's own "updated"."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from wagtail.admin import messages


def tell(request: HttpRequest, instance: Any) -> None:
    """Called by Wagtail after a setting was saved; ours carry what there is to say."""
    if let := getattr(instance, "let", None):
        _of_rules(request, let)
    if getattr(instance, "new_key", False):
        messages.info(request, _("A new key is in use. Press “Test this key” to see whether Khalti knows it."))


def _of_rules(request: HttpRequest, let: Any) -> None:
    number = {"number": let.number}
    if not let.changed:
        messages.info(request, _("The rules are the same as before: version %(number)s still holds.") % number)
        return
    text = _("This applies to new orders from now on (rules version %(number)s).") % number
    rest = _("Points that were awarded or reserved before keep the rules they had.")
    messages.info(request, f"{text} {rest}")
    for warning in let.warnings:
        messages.warning(request, warning)
