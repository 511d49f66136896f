"""Settings that limit what staff may do. Only users who may exceed a limit can change it."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.log_actions import log

from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.nepal import group_digits
from loyalink_khalti.staff.permissions import has_permission

from .sentence import Part, Sentence, field_names

REFUND_LIMIT_CHANGED = "loyalink_khalti.change_refund_limit"
ADJUST_LIMIT_CHANGED = "loyalink_khalti.change_adjust_limit"
"""Log actions."""


def rupees_label(limit: int) -> str:
    """Return an amount in paisa as rupees, without decimals where it has no paisa."""
    return npr(Paisa(limit)).removesuffix(".00")


class LimitForm(WagtailAdminModelForm):
    """Settings with a limit. Users who may not exceed it have no field for it, whatever they post."""

    limit_field: str
    limit_permission: str
    """The permission to exceed the limit."""
    limit_changed: str
    """Log action."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.for_user is None or not has_permission(self.for_user, self.limit_permission):
            del self.fields[self.limit_field]

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            stored = type(self.instance).objects.select_for_update().filter(pk=self.instance.pk)
            before = stored.values_list(self.limit_field, flat=True).first()
            if self.limit_field not in self.fields:  # a colleague may have changed it since the page was opened
                setattr(self.instance, self.limit_field, before)
            instance = super().save(commit)
            after = getattr(instance, self.limit_field)
            if commit and after != before:
                data = {"old": before, "new": after}
                log(instance=instance, action=self.limit_changed, user=self.for_user, data=data)
        return instance


class LimitSentence(Sentence):
    """A sentence with the field of a limit; users who may not change the limit read its value instead."""

    def __init__(
        self,
        text: Any = "",
        read_only: Any = "",
        unlimited: Any = "",
        format_limit: Callable[[int], str] = group_digits,
        **kwargs: Any,
    ) -> None:
        super().__init__(text, **kwargs)
        self.read_only, self.unlimited, self.format_limit = read_only, unlimited, format_limit

    def clone_kwargs(self) -> dict[str, Any]:
        own = {"read_only": self.read_only, "unlimited": self.unlimited, "format_limit": self.format_limit}
        return {**super().clone_kwargs(), **own}

    def read_only_text(self, limit: int | None) -> str:
        return str(self.unlimited) if limit is None else str(self.read_only) % {"limit": self.format_limit(limit)}

    class BoundPanel(Sentence.BoundPanel):
        def is_shown(self) -> bool:
            return True

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context = super().get_context_data(parent_context)
            (name,) = field_names(self.panel.text)
            if name in self.form.fields:
                return context
            text = self.panel.read_only_text(getattr(self.instance, name))
            return {**context, "parts": [Part(text=text)], "help_text": ""}
