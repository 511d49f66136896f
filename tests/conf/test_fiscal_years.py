"""Fiscal years of Nepal: Shrawan 1 to the last day of Asar."""

from datetime import date, timedelta

import pytest

from loyalink_khalti.bikram_sambat import FiscalYear, fiscal_year, fiscal_year_of_label, fiscal_years


@pytest.mark.parametrize(
    ("day", "label"),
    [
        (date(2024, 7, 15), "2080/81"),  # 31 Asar 2081
        (date(2024, 7, 16), "2081/82"),  # 1 Shrawan 2081
        (date(2025, 7, 16), "2081/82"),  # 32 Asar 2082
        (date(2025, 7, 17), "2082/83"),
        (date(2026, 12, 1), "2083/84"),
        (date(2027, 4, 14), "2083/84"),  # 1 Baisakh 2084
        (date(2028, 4, 12), "2084/85"),  # the last published day
    ],
)
def test_a_day_is_in_the_fiscal_year_that_nepal_counts(day, label):
    """U40"""
    assert fiscal_year(day).label == label
    assert fiscal_year_of_label(label) == fiscal_year(day)


def test_the_label_of_the_last_year_of_a_century_has_two_digits():
    assert FiscalYear(2099).label == "2099/00"


def test_a_fiscal_year_ends_the_day_before_the_next_begins():
    """U40"""
    for year in range(1975, 2084):
        found = FiscalYear(year)
        assert fiscal_year(found.first) == fiscal_year(found.last) == found
        assert fiscal_year(found.last + timedelta(days=1)) == FiscalYear(year + 1)
        assert 364 <= (found.last - found.first).days + 1 <= 366


def test_what_is_not_published_is_not_guessed():
    """U40"""
    last = fiscal_year(date(2028, 4, 12))

    assert last.first == date(2027, 7, 17)
    with pytest.raises(ValueError, match="2085"):
        _ = last.last
    with pytest.raises(ValueError, match="out of range"):
        fiscal_year(date(1900, 1, 1))


def test_the_years_of_a_range_are_listed_newest_first():
    assert [str(year) for year in fiscal_years(date(2025, 1, 1), date(2026, 12, 1))] == [
        "2083/84",
        "2082/83",
        "2081/82",
    ]


@pytest.mark.parametrize("label", ["", "2083", "2083/85", "2083/083", "x083/84", "2083/84 "])
def test_another_text_is_no_fiscal_year(label):
    with pytest.raises(ValueError, match="no fiscal year"):
        fiscal_year_of_label(label)
