"""Panels that lay out a form as sentences, with the fields inside the text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import cached_property
from wagtail.admin.panels import Panel

_FIELD = re.compile(r"\{(\w+)\}")
_PUNCTUATION = re.compile(r"[^\s\w]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a sentence: text, or a field."""

    text: str = ""
    """Text. Of a field, the punctuation right after it; of a checkbox, its whole label."""
    field: Any = None
    errors_id: str = ""
    """The id of the line with the field's errors; "" if it has none."""

    @property
    def widget(self) -> str:
        """The field's HTML."""
        attrs = {"aria-invalid": "true", "aria-describedby": self.errors_id} if self.errors_id else {}
        return str(self.field.as_widget(attrs=attrs))

    @property
    def is_checkbox(self) -> bool:
        return isinstance(self.field.field.widget, forms.CheckboxInput)

    @property
    def is_block(self) -> bool:
        """Whether the field takes a block of its own: a group of checkboxes."""
        return isinstance(self.field.field.widget, forms.CheckboxSelectMultiple)


def field_names(text: Any) -> list[str]:
    """Return the names of the fields in a sentence, in order."""
    return _FIELD.findall(str(text))


def split_sentence(text: Any, form: forms.BaseForm) -> Iterator[Part]:
    """Split a sentence at its fields. A field that the form does not have is left out."""
    first, *rest = _FIELD.split(str(text))
    if first.strip():
        yield Part(text=first)
    for name, after in zip(rest[::2], rest[1::2], strict=True):
        if name not in form.fields:
            yield Part(text=after)
            continue
        bound = form[name]
        is_checkbox = isinstance(bound.field.widget, forms.CheckboxInput)
        punctuation = _PUNCTUATION.match(after)
        attached = after if is_checkbox else punctuation.group() if punctuation else ""
        yield Part(field=bound, text=attached, errors_id=f"{bound.auto_id}-errors" if bound.errors else "")
        if after[len(attached) :].strip():
            yield Part(text=after[len(attached) :])


class Sentence(Panel):
    """One sentence: ``Sentence(_("Customers earn {points} points for every Rs {per} of products."))``."""

    def __init__(self, text: Any = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text

    def clone_kwargs(self) -> dict[str, Any]:
        return {**super().clone_kwargs(), "text": self.text}

    def get_form_options(self) -> dict[str, Any]:
        return {"fields": field_names(self.text)}

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/sentence.html"

        class Media:
            css = {"all": ("loyalink_khalti/sentence.css",)}

        @cached_property
        def parts(self) -> list[Part]:
            return list(split_sentence(self.panel.text, self.form))

        def is_shown(self) -> bool:
            return self.form is None or any(part.field is not None for part in self.parts)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            return {**super().get_context_data(parent_context), "parts": self.parts, "help_text": self.help_text}


class SentenceRows(Panel):
    """One sentence for each form of a formset, which the page's form keeps as ``form.row_formsets[name]``."""

    def __init__(self, name: str = "", text: Any = "", add_label: Any = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name, self.text, self.add_label = name, text, add_label

    def clone_kwargs(self) -> dict[str, Any]:
        return {**super().clone_kwargs(), "name": self.name, "text": self.text, "add_label": self.add_label}

    class BoundPanel(Panel.BoundPanel):
        template_name = "loyalink_khalti/backoffice/sentence_rows.html"

        class Media:
            css = {"all": ("loyalink_khalti/sentence.css",)}
            js = ("loyalink_khalti/sentence_rows.js",)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            formset = self.form.row_formsets[self.panel.name]
            rows = [(form, list(split_sentence(self.panel.text, form))) for form in formset.forms]
            empty_row = list(split_sentence(self.panel.text, formset.empty_form))
            context = super().get_context_data(parent_context)
            own = {"formset": formset, "rows": rows, "empty_row": empty_row, "add_label": self.panel.add_label}
            return {**context, **own}
