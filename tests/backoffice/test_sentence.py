"""Settings that are read as sentences: words, and in them the fields."""

from fractions import Fraction

import pytest
from bs4 import BeautifulSoup
from django import forms
from django.core.exceptions import ValidationError
from wagtail.admin.panels import ObjectList
from wagtail.models import Site

from loyalink_khalti.backoffice.sentence import Sentence
from loyalink_khalti.staff.fields import FactorField, RupeesField, WholeField, written

pytestmark = pytest.mark.django_db


class SiteForm(forms.ModelForm):
    points = WholeField(label="Points earned", least=1)
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
    """The sentence as it is on the page."""
    handler = panels(Sentence(sentence, **kwargs))
    form = handler.get_form_class()(data)
    bound = handler.get_bound_panel(instance=Site(), form=form, prefix="panel")
    return BeautifulSoup(bound.render_form_content(), "html.parser")


def test_the_fields_stand_where_the_words_have_them():
    page = shown("For {port}, earn {points} points.")

    pieces = [
        piece.find("input")["name"] if piece.find("input") else piece.get_text()
        for piece in page.select(".lk-words > *")
    ]
    assert [piece.strip() for piece in pieces] == ["For", "port", "earn", "points", "points."]


def test_the_form_has_the_fields_of_its_sentences_and_no_others_of_the_model():
    form = panels(Sentence("On {hostname}"), Sentence("at {port}")).get_form_class()()

    assert [name for name in form.fields if name in {"hostname", "port", "site_name"}] == ["hostname", "port"]


def test_each_field_has_a_label_for_those_who_hear_the_page():
    page = shown("Earn {points} points. {shipping} Delivery earns, too. For {tags}")

    labels = {label["for"]: " ".join(label.get_text().split()) for label in page.select("label[for]")}
    assert labels["id_points"] == "Points earned"
    assert labels["id_shipping"] == "Delivery earns, too. For"
    assert page.select_one("fieldset > legend").get_text() == "Categories"


def test_what_is_wrong_stands_below_and_is_tied_to_its_field():
    page = shown("Earn {points} points.", {"points": "none"})

    field, line = page.select_one("#id_points"), page.select_one(".error-message")
    assert (field["value"], field["aria-invalid"], field["aria-describedby"]) == ("none", "true", line["id"])
    assert "Points earned: Enter a whole number" in " ".join(line.get_text(" ", strip=True).split())


def test_a_comma_right_behind_a_field_stays_on_its_line():
    page = shown("Up to {points}, and more.")

    assert page.select_one(".lk-field").get_text(strip=True).endswith(",")


def test_a_sentence_whose_fields_the_form_has_left_out_is_not_shown():
    handler = panels(Sentence("In {port} here"))
    form = handler.get_form_class()()
    del form.fields["port"]

    assert not handler.get_bound_panel(instance=Site(), form=form, prefix="panel").is_shown()


def test_help_is_below_and_markup_in_words_is_inert():
    page = shown("<b>Earn</b> {points}", help_text="<i>little</i>")

    assert (page.find("b"), page.find("i")) == (None, None)
    assert page.select_one(".help").get_text() == "<i>little</i>"


# The fields


@pytest.mark.parametrize(
    ("typed", "paisa"),
    [
        ("10", 1000), ("10.5", 1050), ("Rs 1,23,456.50", 12_345_650), (" 0.01 ", 1), ("रु १०", 1000), ("NPR 5", 500),
        ("0", 0), ("1e3", 100_000), ("1,000", 100_000), ("1,234,567.5", 123_456_750), ("12,34,567", 123_456_700),
    ],
)  # fmt: skip
def test_rupees_are_exact_to_the_paisa_however_they_are_written(typed, paisa):
    assert RupeesField().clean(typed) == paisa


@pytest.mark.parametrize("typed", ["0.001", "ten", "-1", "NaN", "Infinity", "1e99999999", "1.2.3", "=1+1", "9" * 5000])
def test_what_are_no_rupees_is_refused(typed):
    with pytest.raises(ValidationError):
        RupeesField().clean(typed)


COMMAS = ["1,5", "250,50", "1,00", "1,0000", "1,2345", ",500", "1,,000", "1,000,5", "1.5,000", "1, 5"]


@pytest.mark.parametrize("typed", COMMAS)
def test_a_comma_that_groups_nothing_is_refused_and_never_dropped(typed):
    with pytest.raises(ValidationError, match=r"Write 1\.5 with a point"):
        RupeesField().clean(typed)
    with pytest.raises(ValidationError, match="Enter a whole number, without a fraction"):
        WholeField().clean(typed)


@pytest.mark.parametrize("typed", ["1,5", "1, 5", "1,000", "1,00,000"])
def test_a_multiplier_has_no_commas(typed):
    with pytest.raises(ValidationError, match=r"Write 1\.5 with a point"):
        FactorField().clean(typed)


def test_spaces_are_dropped_around_a_number_and_not_within():
    assert (WholeField().clean(" 1,00,000 "), FactorField().clean(" 1.5 ")) == (100_000, Fraction(3, 2))
    for field in (RupeesField(), WholeField(), FactorField()):
        with pytest.raises(ValidationError):
            field.clean("1 5")


@pytest.mark.parametrize(
    ("typed", "factor"),
    [("2", Fraction(2)), ("1.5", Fraction(3, 2)), ("4/3", Fraction(4, 3)), ("0.25", Fraction(1, 4))],
)
def test_a_multiplier_is_exact_and_written_as_it_was_typed(typed, factor):
    assert FactorField().clean(typed) == factor
    assert written(factor) == typed


@pytest.mark.parametrize("typed", ["-1", "1/0", "1e3", "two", "1.23456", "10000.5", "1.5.5", "--", "inf", "=2"])
def test_what_is_no_multiplier_is_refused(typed):
    with pytest.raises(ValidationError):
        FactorField().clean(typed)


def test_an_empty_field_that_may_be_empty_is_no_limit():
    fields = (RupeesField(required=False), WholeField(required=False), FactorField(required=False))

    assert [field.clean("") for field in fields] == [None, None, None]


def test_what_is_typed_again_as_it_was_is_no_change():
    assert not RupeesField().has_changed(1000, "10.00")
    assert not WholeField().has_changed(1000, "1,000")
    assert not FactorField().has_changed(Fraction(3, 2), "1.50")
    assert RupeesField().has_changed(1000, "10.01")
