"""Settings read as sentences: the words, and in them the fields."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import cached_property
from wagtail.admin.panels import Panel

_FIELD = re.compile(r"\{(\w+)\}")
_BEHIND = re.compile(r"[^\s\w]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a sentence: words, or a field."""

    text: str = ""
    """Words; of a field the letters right behind it, a comma say; of a tick box all that it stands for."""
    field: Any = None
    invalid: str = ""
    """The id of the line that says what is wrong with it."""

    @property
    def widget(self) -> str:
        """The field as it stands in the sentence."""
        attrs = {"aria-invalid": "true", "aria-describedby": self.invalid} if self.invalid else {}
        return str(self.field.as_widget(attrs=attrs))

    @property
    def is_tick(self) -> bool:
        return isinstance(self.field.field.widget, forms.CheckboxInput)

    @property
    def is_block(self) -> bool:
        """Whether it is too much for a line: many tick boxes, say."""
        return isinstance(self.field.field.widget, forms.CheckboxSelectMultiple)


def names(text: Any) -> list[str]:
    """The fields in a sentence, in order."""
    return _FIELD.findall(str(text))


def parts(text: Any, form: forms.BaseForm) -> Iterator[Part]:
    """Cut a sentence at its fields; a field that the form leaves out is left out of the words, too."""
    words, *rest = _FIELD.split(str(text))
    if words.strip():
        yield Part(text=words)
    for name, after in zip(rest[::2], rest[1::2], strict=True):
        if name not in form.fields:
            yield Part(text=after)
            continue
        bound = form[name]
        is_tick = isinstance(bound.field.widget, forms.CheckboxInput)
        behind = _BEHIND.match(after)
        glued = after if is_tick else behind.group() if behind else ""
        yield Part(field=bound, text=glued, invalid=f"{bound.auto_id}-errors" if bound.errors else "")
        if after[len(glued) :].strip():
            yield Part(text=after[len(glued) :])


class Sentence(Panel):
    """``Sentence(_("Customers earn {points} points for every Rs {per} of goods."))``."""

    def __init__(self, text: Any = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text

    def clone_kwargs(self) -> dict[str, Any]:
        return {**super().clone_kwargs(), "text": self.text}

    def get_form_options(self) -> dict[str, Any]:
        return {"fields": names(self.text)}

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/sentence.html"

        class Media:
            css = {"all": ("loyalink_khalti/sentence.css",)}

        @cached_property
        def parts(self) -> list[Part]:
            return list(parts(self.panel.text, self.form))

        def is_shown(self) -> bool:
            return self.form is None or any(part.field is not None for part in self.parts)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            return {**super().get_context_data(parent_context), "parts": self.parts, "help_text": self.help_text}


class Rows(Panel):
    """A sentence for each row of a formset that the form keeps as ``form.rows[name]``."""

    def __init__(self, name: str = "", text: Any = "", add: Any = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name, self.text, self.add = name, text, add

    def clone_kwargs(self) -> dict[str, Any]:
        return {**super().clone_kwargs(), "name": self.name, "text": self.text, "add": self.add}

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/rows.html"

        class Media:
            css = {"all": ("loyalink_khalti/sentence.css",)}
            js = ("loyalink_khalti/rows.js",)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            formset = self.form.rows[self.panel.name]
            rows = [(form, list(parts(self.panel.text, form))) for form in formset.forms]
            blank = list(parts(self.panel.text, formset.empty_form))
            context = super().get_context_data(parent_context)
            return {**context, "formset": formset, "rows": rows, "blank": blank, "add": self.panel.add}
