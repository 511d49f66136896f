"""The live example beside a form: the server computes it from the values in the form, which are not saved."""

from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.forms import Media
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import ObjectList

from loyalink_khalti.money import Paisa
from loyalink_khalti.staff.fields import RupeesField

from .sentence import Part, split_sentence

WHAT_THIS_MEANS = _("What this means")
EXAMPLE_AMOUNT = Paisa(199_900)
"""Rs 1,999: not a multiple of the usual steps, so that the example shows the rounding."""


class ExampleForm(forms.Form):
    """The order that the example computes; it is not saved."""

    example_order = RupeesField(label=_("Amount of the example"), minimum=Paisa(100), initial=EXAMPLE_AMOUNT)
    sentence: Any = _("An order of Rs {example_order}")

    def amount(self) -> Paisa | None:
        """Return the amount in paisa; None if it is invalid."""
        return Paisa(self.cleaned_data["example_order"]) if self.is_valid() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example to show: ``template`` with ``context``; the browser posts changes to ``url``."""

    url: str
    form: ExampleForm
    context: dict[str, Any] = field(default_factory=dict)
    template: str = "loyalink_khalti/backoffice/rules/example.html"
    heading: Any = WHAT_THIS_MEANS

    @property
    def parts(self) -> list[Part]:
        return list(split_sentence(self.form.sentence, self.form))

    @property
    def html(self) -> str:
        return render_to_string(self.template, self.context)


class PanelsWithExample(ObjectList):
    """Panels with the example that ``form.example()`` returns beside them."""

    class BoundPanel(ObjectList.BoundPanel):
        template_name = "loyalink_khalti/backoffice/panels_with_example.html"

        @property
        def media(self) -> Media:
            media: Media = super().media
            return media + Media(css={"all": ("loyalink_khalti/sentence.css",)}, js=("loyalink_khalti/example.js",))

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            return {**super().get_context_data(parent_context), "example": self.form.example()}


def example_form(data: Any, form_class: Any = ExampleForm, **kwargs: Any) -> Any:
    """Return the bound form of the example; a field that was not posted has its initial value."""
    unbound = form_class(**kwargs)
    initial = {
        name: field.prepare_value(unbound.get_initial_for_field(field, name)) for name, field in unbound.fields.items()
    }
    posted = {name: data.get(name) if data else None for name in unbound.fields}
    return form_class({name: initial[name] if posted[name] is None else posted[name] for name in posted}, **kwargs)
