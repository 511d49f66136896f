"""How amounts, numbers and dates are written: ``DIGITS`` and ``CALENDAR``, in the reader's language."""

import sys
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from django.template import Context, Template
from django.utils.translation import override

from loyalink_khalti import bikram_sambat
from loyalink_khalti.bikram_sambat import NepaliDate, nepali_date
from loyalink_khalti.conf import formats

pytestmark = pytest.mark.same_on_both

AT = datetime(2026, 12, 1, 8, 20, tzinfo=UTC)
"""14:05 in Nepal."""


@pytest.fixture
def chosen(settings):
    def choose(**values):
        settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, **values}

    return choose


@pytest.mark.parametrize(
    ("digits", "language", "amount", "number", "moment"),
    [
        ("latin", "en", "Rs 1,23,456.50", "12,34,567", "1 December 2026, 14:05"),
        ("latin", "ne", "Rs 1,23,456.50", "12,34,567", "1 डिसम्वर 2026, 14:05"),
        ("by_language", "en", "Rs 1,23,456.50", "12,34,567", "1 December 2026, 14:05"),
        ("by_language", "ne", "रु १,२३,४५६.५०", "१२,३४,५६७", "१ डिसम्वर २०२६, १४:०५"),
        ("devanagari", "en", "रु १,२३,४५६.५०", "१२,३४,५६७", "१ December २०२६, १४:०५"),
    ],
)
def test_digits_are_written_as_the_setting_says(chosen, digits, language, amount, number, moment):
    """T32"""
    chosen(DIGITS=digits)

    with override(language):
        assert formats.npr(12_345_650) == amount
        assert formats.npr(-12_345_650) == f"−{amount}"
        assert formats.number(1_234_567) == number
        assert formats.moment(AT) == moment


@pytest.mark.parametrize(
    ("calendar", "language", "day"),
    [
        ("ad", "ne", "१ डिसम्वर २०२६"),
        ("bs", "en", "15 Mangsir 2083"),
        ("bs", "ne", "१५ मंसिर २०८३"),
        ("by_language", "en", "1 December 2026"),
        ("by_language", "ne", "१५ मंसिर २०८३"),
        ("ad_bs", "en", "1 December 2026 (15 Mangsir 2083)"),
        ("bs_ad", "ne", "१५ मंसिर २०८३ (१ डिसम्वर २०२६)"),
    ],
)
def test_dates_are_of_the_calendar_that_the_setting_names(chosen, calendar, language, day):
    """T32"""
    chosen(CALENDAR=calendar, DIGITS="by_language")

    with override(language):
        assert formats.day(date(2026, 12, 1)) == day
        assert formats.day(AT) == day


def test_a_moment_late_in_the_evening_has_the_day_of_nepal(chosen):
    """T32"""
    chosen(CALENDAR="bs")

    assert formats.moment(datetime(2026, 12, 1, 18, 30, tzinfo=UTC)) == "16 Mangsir 2083, 00:15"


@pytest.mark.parametrize("day", [date(2028, 4, 13), date(1918, 4, 12)])
def test_a_day_whose_nepali_date_nobody_knows_is_shown_in_ad(chosen, day):
    chosen(CALENDAR="bs")

    with pytest.raises(ValueError, match=r"publish|range"):
        nepali_date(day)
    assert formats.day(day) == f"{day:%-d} {day:%B} {day.year}"


@pytest.mark.parametrize(
    ("day", "year", "month", "number"),
    [
        (date(1918, 4, 13), 1975, 1, 1),
        (date(1943, 4, 14), 2000, 1, 1),
        (date(2005, 5, 14), 2062, 1, 31),  # a day that one converter has as 1 Jestha
        (date(2015, 9, 20), 2072, 6, 3),  # the constitution
        (date(2024, 6, 14), 2081, 2, 32),  # a month of 32 days
        (date(2025, 4, 14), 2082, 1, 1),
        (date(2026, 12, 1), 2083, 8, 15),
        (date(2028, 4, 12), 2084, 12, 30),
    ],
)
def test_known_days_of_the_bikram_sambat(day, year, month, number):
    assert nepali_date(day) == NepaliDate(year=year, month=month, day=number)


def test_every_day_until_the_last_published_one_follows_the_day_before():
    """T32"""
    days = [
        nepali_date(date.fromordinal(n)) for n in range(date(1918, 4, 13).toordinal(), date(2028, 4, 13).toordinal())
    ]

    for before, after in pairwise(days):
        assert after > before
        assert (after.day == before.day + 1) or (after.day == 1 and 29 <= before.day <= 32)
    assert len({(day.year, day.month) for day in days}) == 110 * 12


def test_without_the_library_dates_are_in_ad(chosen, monkeypatch):
    chosen(CALENDAR="ad_bs")
    bikram_sambat.nepali_date.cache_clear()
    monkeypatch.setitem(sys.modules, "nepali_datetime", None)

    assert formats.day(date(2026, 12, 1)) == "1 December 2026"


def test_templates_have_a_filter_for_each(chosen):
    chosen(DIGITS="by_language", CALENDAR="bs")
    template = Template(
        "{% load loyalink_khalti %}{{ paisa|npr }} {{ n|points }} {{ n|number }} {{ at|day }} {{ at|moment }}"
        " {{ at|time_of_day }} {{ text|digits }}{{ none|npr }}{{ none|points }}{{ none|day }}{{ none|moment }}"
    )

    with override("ne"):
        page = template.render(Context({"paisa": 1000, "n": 1200, "at": AT, "text": "1.5", "none": None}))

    assert page == "रु १०.०० १,२०० १,२०० १५ मंसिर २०८३ १५ मंसिर २०८३, १४:०५ १४:०५ १.५"
