"""Nepal's days, months and digit groups, and where its script may be cut."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalink_khalti.nepal import (
    add_months,
    day_of,
    first_of_month,
    group_digits,
    last_of_month,
    midnight,
    midnight_after,
    shorten,
)

days = st.dates(date(2000, 1, 1), date(2100, 1, 1))


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 11, 23, 18, 14, 59, tzinfo=UTC), date(2026, 11, 23)),
        (datetime(2026, 11, 23, 18, 15, tzinfo=UTC), date(2026, 11, 24)),
    ],
)
def test_a_day_begins_at_1815_utc(moment: datetime, day: date) -> None:
    assert day_of(moment) == day


@given(days)
def test_a_day_lasts_24_hours_from_midnight_to_midnight(day: date) -> None:
    assert day_of(midnight(day)) == day
    assert day_of(midnight(day) - timedelta(microseconds=1)) == day - timedelta(days=1)
    assert midnight_after(day) - midnight(day) == timedelta(days=1)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 11, 23), 12, date(2027, 11, 23)),
        (date(2026, 1, 15), -1, date(2025, 12, 15)),
    ],
)
def test_months_later_it_is_the_same_day_or_the_last_of_a_shorter_month(day: date, months: int, later: date) -> None:
    assert add_months(day, months) == later


@given(days)
def test_a_month_ends_the_day_before_the_next_begins(day: date) -> None:
    assert first_of_month(last_of_month(day) + timedelta(days=1)) == add_months(first_of_month(day), 1)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (1_000, "1,000"), (1_23_456, "1,23,456"), (-1_23_456, "−1,23,456")]
)
def test_digits_are_grouped_by_three_and_then_by_two(number: int, text: str) -> None:
    assert group_digits(number) == text


@given(st.integers(0, 10**15))
def test_grouping_only_adds_commas(number: int) -> None:
    assert int(group_digits(number).replace(",", "")) == number
    assert not group_digits(number).startswith(",")


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("Saraswati", 9, "Saraswati"),
        ("Saraswati Stationery", 11, "Saraswati…"),
        ("सरस्वती", 7, "सरस्वती"),
        ("सरस्वती स्टेशनरी", 7, "सरस्व…"),
        ("क्षेत्र", 3, "…"),
        ("क्षेत्रपाटी", 6, "क्षे…"),
        ("Cafe\u0301 Asan", 5, "Caf…"),
        ("👩\u200d🎓👩\u200d🎓", 5, "👩\u200d🎓…"),
        ("text", 0, ""),
    ],
)
def test_a_text_is_shortened_by_whole_characters(text: str, most: int, kept: str) -> None:
    """H9: a vowel sign or half of a conjunct alone is no character to people."""
    assert shorten(text, most) == kept


@given(st.text(), st.integers(0, 30))
def test_a_shortened_text_is_never_too_long_and_begins_as_the_text_does(text: str, most: int) -> None:
    """H9"""
    short = shorten(text, most)

    assert len(short) <= most
    assert text.startswith(short.removesuffix("…"))
