"""How far staff may go without another permission: set by those alone whom it does not bind."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.log_actions import log

from loyalink_khalti.money import Paisa, grouped, npr
from loyalink_khalti.staff.may import may

from .sentence import Part, Sentence, names

REFUNDS, ADJUSTMENTS = "loyalink_khalti.change_refund_limit", "loyalink_khalti.change_adjust_limit"
"""Log actions."""


def whole_rupees(limit: int) -> str:
    """Without paisa where there are none."""
    return npr(Paisa(limit)).removesuffix(".00")


class WithLimit(WagtailAdminModelForm):
    """Settings with a limit, whose field is left out for whoever is bound by it, whatever they post."""

    limit: str
    """The name of its field."""
    beyond: str
    """The permission to go beyond it."""
    limit_changed: str
    """Log action."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.for_user is None or not may(self.for_user, self.beyond):
            del self.fields[self.limit]

    def save(self, commit: bool = True) -> Any:
        with transaction.atomic():
            stored = type(self.instance).objects.select_for_update().filter(pk=self.instance.pk)
            before = stored.values_list(self.limit, flat=True).first()
            if self.limit not in self.fields:  # a colleague may have set it since the page was asked for
                setattr(self.instance, self.limit, before)
            instance = super().save(commit)
            after = getattr(instance, self.limit)
            if commit and after != before:
                told = {"old": before, "new": after}
                log(instance=instance, action=self.limit_changed, user=self.for_user, data=told)
        return instance


class Limit(Sentence):
    """A sentence with the field of a limit; for whoever may not set it, plain words and what it is."""

    def __init__(
        self, text: Any = "", said: Any = "", without: Any = "", write: Callable[[int], str] = grouped, **kwargs: Any
    ) -> None:
        super().__init__(text, **kwargs)
        self.said, self.without, self.write = said, without, write

    def clone_kwargs(self) -> dict[str, Any]:
        return {**super().clone_kwargs(), "said": self.said, "without": self.without, "write": self.write}

    def told(self, limit: int | None) -> str:
        return str(self.without) if limit is None else str(self.said) % {"limit": self.write(limit)}

    class BoundPanel(Sentence.BoundPanel):
        def is_shown(self) -> bool:
            return True

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context = super().get_context_data(parent_context)
            (name,) = names(self.panel.text)
            if name in self.form.fields:
                return context
            words = self.panel.told(getattr(self.instance, name))
            return {**context, "parts": [Part(text=words)], "help_text": ""}
