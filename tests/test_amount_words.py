"""Amounts in words, by lakh and crore."""

import pytest

from loyalink_khalti.amount_words import _NEPALI, in_english, in_nepali


@pytest.mark.parametrize(
    ("paisa", "english", "nepali"),
    [
        (0, "Rupees zero only", "शून्य रुपैयाँ मात्र"),
        (5, "Rupees zero and five paisa only", "शून्य रुपैयाँ पाँच पैसा मात्र"),
        (100, "Rupees one only", "एक रुपैयाँ मात्र"),
        (261_000, "Rupees two thousand six hundred ten only", "दुई हजार छ सय दश रुपैयाँ मात्र"),
        (
            1_23_456_50,
            "Rupees one lakh twenty-three thousand four hundred fifty-six and fifty paisa only",
            "एक लाख तेइस हजार चार सय छपन्न रुपैयाँ पचास पैसा मात्र",
        ),
        (
            12_34_56_789_00,
            "Rupees twelve crore thirty-four lakh fifty-six thousand seven hundred eighty-nine only",
            "बाह्र करोड चौँतीस लाख छपन्न हजार सात सय उनान्नब्बे रुपैयाँ मात्र",
        ),
        (100_00_00_000_00, "Rupees one hundred crore only", "एक सय करोड रुपैयाँ मात्र"),
    ],
)
def test_amounts_in_both_languages(paisa: int, english: str, nepali: str) -> None:
    """U43"""
    assert (in_english(paisa), in_nepali(paisa)) == (english, nepali)


def test_nepali_has_a_word_of_its_own_for_each_number_below_a_hundred() -> None:
    assert len(_NEPALI) == len(set(_NEPALI)) == 100


def test_there_are_no_words_below_zero() -> None:
    with pytest.raises(ValueError, match="-1"):
        in_english(-1)
