"""The worked example beside a form: computed by the server, from what is typed and not saved."""

from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.forms import Media
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import ObjectList

from loyalink_khalti.money import Paisa
from loyalink_khalti.staff.fields import RupeesField

from .sentence import Part, parts

ORDER = Paisa(199_900)
"""Rs 1,999: a price with a rest, on which rounding shows."""

WHAT_THIS_MEANS = _("What this means")


class ExampleForm(forms.Form):
    """What the example is about; none of it is saved."""

    example_order = RupeesField(label=_("Amount of the example"), least=Paisa(100), initial=ORDER)
    sentence: Any = _("An order of Rs {example_order}")

    def order(self) -> Paisa | None:
        """The amount, in paisa; None while what is typed is none."""
        return Paisa(self.cleaned_data["example_order"]) if self.is_valid() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What is shown: ``template`` with ``context``, refreshed from ``url``."""

    url: str
    form: ExampleForm
    context: dict[str, Any] = field(default_factory=dict)
    template: str = "loyalink_khalti/backoffice/example_rules.html"
    heading: Any = WHAT_THIS_MEANS

    @property
    def parts(self) -> list[Part]:
        return list(parts(self.form.sentence, self.form))

    @property
    def html(self) -> str:
        return render_to_string(self.template, self.context)


class WithExample(ObjectList):
    """Panels and, beside them, the example that ``form.example()`` gives."""

    class BoundPanel(ObjectList.BoundPanel):
        template_name = "loyalink_khalti/backoffice/with_example.html"

        @property
        def media(self) -> Media:
            media: Media = super().media
            return media + Media(css={"all": ("loyalink_khalti/sentence.css",)}, js=("loyalink_khalti/example.js",))

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            return {**super().get_context_data(parent_context), "example": self.form.example()}


def typed(data: Any, kind: Any = ExampleForm, **kwargs: Any) -> Any:
    """The form of the example, as it was posted or, where it was not, as it begins."""
    blank = kind(**kwargs)
    given = {name: data.get(name) if data else None for name in blank.fields}
    begins = {
        name: field.prepare_value(blank.get_initial_for_field(field, name)) for name, field in blank.fields.items()
    }
    return kind({name: begins[name] if given[name] is None else given[name] for name in given}, **kwargs)
