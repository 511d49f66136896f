"""Forms laid out as sentences, with the fields inside the text."""

import pytest
from bs4 import BeautifulSoup
from django import forms
from wagtail.admin.panels import ObjectList
from wagtail.models import Site

from loyalink_khalti.backoffice.sentence import Sentence
from loyalink_khalti.staff.fields import WholeNumberField

pytestmark = pytest.mark.django_db


class SiteForm(forms.ModelForm):
    points = WholeNumberField(label="Points earned", minimum=1)
    shipping = forms.BooleanField(label="Delivery earns", required=False)
    tags = forms.MultipleChoiceField(
        label="Categories", required=False, choices=[("pens", "Pens & <ink>")], widget=forms.CheckboxSelectMultiple
    )


def panels(*children):
    class Form(SiteForm):
        for_user = None

        def __init__(self, *args, for_user=None, **kwargs):
            super().__init__(*args, **kwargs)

    return ObjectList(children, base_form_class=Form).bind_to_model(Site)


def shown(sentence, data=None, **kwargs):
    """Return the rendered sentence."""
    handler = panels(Sentence(sentence, **kwargs))
    form = handler.get_form_class()(data)
    bound = handler.get_bound_panel(instance=Site(), form=form, prefix="panel")
    return BeautifulSoup(bound.render_form_content(), "html.parser")


def test_the_fields_are_placed_within_the_text():
    page = shown("For {port}, earn {points} points.")

    pieces = [
        piece.find("input")["name"] if piece.find("input") else piece.get_text()
        for piece in page.select(".lk-parts > *")
    ]
    assert [piece.strip() for piece in pieces] == ["For", "port", "earn", "points", "points."]


def test_the_form_has_only_the_fields_of_its_sentences():
    form = panels(Sentence("On {hostname}"), Sentence("at {port}")).get_form_class()()

    assert [name for name in form.fields if name in {"hostname", "port", "site_name"}] == ["hostname", "port"]


def test_each_field_has_a_label_for_screen_readers():
    page = shown("Earn {points} points. {shipping} Delivery also earns. For {tags}")

    labels = {label["for"]: " ".join(label.get_text().split()) for label in page.select("label[for]")}
    assert labels["id_points"] == "Points earned"
    assert labels["id_shipping"] == "Delivery also earns. For"
    assert page.select_one("fieldset > legend").get_text() == "Categories"


def test_an_error_is_shown_below_and_linked_to_its_field():
    page = shown("Earn {points} points.", {"points": "none"})

    field, line = page.select_one("#id_points"), page.select_one(".error-message")
    assert (field["value"], field["aria-invalid"], field["aria-describedby"]) == ("none", "true", line["id"])
    assert "Points earned: Enter a whole number" in " ".join(line.get_text(" ", strip=True).split())


def test_punctuation_after_a_field_stays_on_its_line():
    page = shown("Up to {points}, and more.")

    assert page.select_one(".lk-field").get_text(strip=True).endswith(",")


def test_a_sentence_without_its_fields_is_not_shown():
    handler = panels(Sentence("In {port} here"))
    form = handler.get_form_class()()
    del form.fields["port"]

    assert not handler.get_bound_panel(instance=Site(), form=form, prefix="panel").is_shown()


def test_help_is_shown_below_and_markup_in_texts_is_escaped():
    page = shown("<b>Earn</b> {points}", help_text="<i>little</i>")

    assert (page.find("b"), page.find("i")) == (None, None)
    assert page.select_one(".help").get_text() == "<i>little</i>"
