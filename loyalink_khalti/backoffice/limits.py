"""Settings that not every editor of a page may change: the limits of staff, and Khalti's key and server."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.db import transaction
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.log_actions import log

from loyalink_khalti.conf import formats
from loyalink_khalti.staff.permissions import has_permission

from .sentence import Part, Sentence, field_names

REFUND_LIMIT_CHANGED = "loyalink_khalti.change_refund_limit"
ADJUST_LIMIT_CHANGED = "loyalink_khalti.change_adjust_limit"
"""Log actions."""


def rupees_label(limit: int) -> str:
    """Return an amount in paisa as rupees, without decimals where it has no paisa."""
    return formats.rupees(limit)


class GuardedForm(WagtailAdminModelForm):
    """Settings with fields that need a permission of their own.

    Users without it have no such field, and whatever they post the stored value stays, also one that a colleague has
    saved since the page was opened.
    """

    guarded: ClassVar[Mapping[str, str]]
    """The permission that each of these fields needs."""
    log_actions: ClassVar[Mapping[str, str]]
    """The log action for a change of each of these fields."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, permission in self.guarded.items():
            if not self.has_permission(permission):
                del self.fields[name]

    def has_permission(self, permission: str) -> bool:
        return self.for_user is not None and has_permission(self.for_user, permission)

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            stored = type(self.instance).objects.select_for_update().filter(pk=self.instance.pk).first()
            for name in self.guarded:
                if name not in self.fields and stored is not None:
                    setattr(self.instance, name, getattr(stored, name))
            instance = super().save(commit)
            for name in self.guarded if commit else ():
                old, new = getattr(stored, name, None), getattr(instance, name)
                if old != new:
                    self.log_change(name, old, new)
        return instance

    def log_change(self, name: str, old: Any, new: Any) -> None:
        """Log the change of a guarded field in Wagtail's site history."""
        data = {"old": old, "new": new, "field": name}
        log(instance=self.instance, action=self.log_actions[name], user=self.for_user, data=data)


class LimitSentence(Sentence):
    """A sentence with the field of a limit; users who may not change the limit read its value instead."""

    def __init__(
        self,
        text: Any = "",
        read_only: Any = "",
        unlimited: Any = "",
        format_limit: Callable[[int], str] = formats.number,
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
            (name,) = field_names(self.panel.text)
            is_field = self.form is None or name in self.form.fields
            return is_field or bool(self.panel.read_only_text(getattr(self.instance, name)))

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context = super().get_context_data(parent_context)
            (name,) = field_names(self.panel.text)
            if name in self.form.fields:
                return context
            text = self.panel.read_only_text(getattr(self.instance, name))
            return {**context, "parts": [Part(text=text)], "help_text": ""}
