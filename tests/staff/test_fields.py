"""The fields of staff forms: rupees, whole numbers and multipliers, exact in every notation."""

from fractions import Fraction

import pytest
from django.core.exceptions import ValidationError

from loyalink_khalti.staff.fields import MobileField, MultiplierField, RupeesField, WholeNumberField, format_multiplier


@pytest.mark.parametrize(
    ("typed", "paisa"),
    [
        ("10", 1000), ("10.5", 1050), ("Rs 1,23,456.50", 12_345_650), (" 0.01 ", 1), ("रु १०", 1000), ("NPR 5", 500),
        ("रु १,२३,४५६.५०", 12_345_650), ("रू. १०", 1000), ("1,200/-", 120_000), ("Rs.१,२००/-", 120_000),
        ("Rs\N{NO-BREAK SPACE}1,200", 120_000), ("0", 0), ("1e3", 100_000), ("1,000", 100_000),
        ("1,234,567.5", 123_456_750), ("12,34,567", 123_456_700),
    ],
)  # fmt: skip
def test_rupees_are_exact_to_the_paisa_in_every_notation(typed, paisa):
    assert RupeesField().clean(typed) == paisa


@pytest.mark.parametrize("typed", ["0.001", "ten", "-1", "NaN", "Infinity", "1e99999999", "1.2.3", "=1+1", "9" * 5000])
def test_an_invalid_amount_is_refused(typed):
    with pytest.raises(ValidationError):
        RupeesField().clean(typed)


COMMAS = ["1,5", "250,50", "1,00", "1,0000", "1,2345", ",500", "1,,000", "1,000,5", "1.5,000", "1, 5"]


@pytest.mark.parametrize("typed", COMMAS)
def test_a_comma_that_groups_nothing_is_refused(typed):
    with pytest.raises(ValidationError, match="Use a decimal point"):
        RupeesField().clean(typed)
    with pytest.raises(ValidationError, match="Enter a whole number, without decimals"):
        WholeNumberField().clean(typed)


@pytest.mark.parametrize("typed", ["1,5", "1, 5", "1,000", "1,00,000"])
def test_a_multiplier_has_no_commas(typed):
    with pytest.raises(ValidationError, match="Use a decimal point"):
        MultiplierField().clean(typed)


def test_spaces_are_allowed_around_a_number_only():
    assert (WholeNumberField().clean(" 1,00,000 "), MultiplierField().clean(" 1.5 ")) == (100_000, Fraction(3, 2))
    assert (WholeNumberField().clean("१,००,०००"), MultiplierField().clean("१.५")) == (100_000, Fraction(3, 2))
    for field in (RupeesField(), WholeNumberField(), MultiplierField()):
        with pytest.raises(ValidationError):
            field.clean("1 5")


@pytest.mark.parametrize(
    ("typed", "factor"),
    [("2", Fraction(2)), ("1.5", Fraction(3, 2)), ("4/3", Fraction(4, 3)), ("0.25", Fraction(1, 4))],
)
def test_a_multiplier_is_exact_and_shown_as_it_was_typed(typed, factor):
    assert MultiplierField().clean(typed) == factor
    assert format_multiplier(factor) == typed


@pytest.mark.parametrize("typed", ["-1", "1/0", "1e3", "two", "1.23456", "10000.5", "1.5.5", "--", "inf", "=2"])
def test_an_invalid_multiplier_is_refused(typed):
    with pytest.raises(ValidationError):
        MultiplierField().clean(typed)


def test_an_empty_optional_field_is_none():
    fields = (RupeesField(required=False), WholeNumberField(required=False), MultiplierField(required=False))

    assert [field.clean("") for field in fields] == [None, None, None]


def test_another_notation_of_the_same_value_is_no_change():
    assert not RupeesField().has_changed(1000, "10.00")
    assert not WholeNumberField().has_changed(1000, "1,000")
    assert not MultiplierField().has_changed(Fraction(3, 2), "1.50")
    assert RupeesField().has_changed(1000, "10.01")


@pytest.mark.parametrize("typed", ["9841234567", "+977 984-1234567", "९८४१२३४५६७", " 0984 123 4567 "])
def test_a_mobile_number_is_its_ten_digits_however_it_is_typed(typed):
    """M17: Khalti refunds to the wallet of this number."""
    assert MobileField().clean(typed) == "9841234567"


@pytest.mark.parametrize("typed", ["984123456", "+91 98412 34567", "01-4412345", "9841234567 x5", "9841234567\n1"])
def test_a_number_that_is_no_nepali_mobile_is_refused(typed):
    """M17"""
    with pytest.raises(ValidationError):
        MobileField(required=False).clean(typed)
    assert MobileField(required=False).clean("") == ""
