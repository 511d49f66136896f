"""Amounts in words, in English and Nepali, by lakh and crore, as invoices in Nepal have them. Amounts are paisa."""

_ENGLISH = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NEPALI = (
    "शून्य", "एक", "दुई", "तीन", "चार", "पाँच", "छ", "सात", "आठ", "नौ",
    "दश", "एघार", "बाह्र", "तेह्र", "चौध", "पन्ध्र", "सोह्र", "सत्र", "अठार", "उन्नाइस",
    "बीस", "एक्काइस", "बाइस", "तेइस", "चौबीस", "पच्चीस", "छब्बीस", "सत्ताइस", "अट्ठाइस", "उनन्तीस",
    "तीस", "एकतीस", "बत्तीस", "तेत्तीस", "चौँतीस", "पैँतीस", "छत्तीस", "सैँतीस", "अठतीस", "उनन्चालीस",
    "चालीस", "एकचालीस", "बयालीस", "त्रिचालीस", "चवालीस", "पैँतालीस", "छयालीस", "सतचालीस", "अठचालीस", "उनन्चास",
    "पचास", "एकाउन्न", "बाउन्न", "त्रिपन्न", "चउन्न", "पचपन्न", "छपन्न", "सन्ताउन्न", "अन्ठाउन्न", "उनन्साठी",
    "साठी", "एकसट्ठी", "बयसट्ठी", "त्रिसट्ठी", "चौसट्ठी", "पैँसट्ठी", "छयसट्ठी", "सतसट्ठी", "अठसट्ठी", "उनन्सत्तरी",
    "सत्तरी", "एकहत्तर", "बहत्तर", "त्रिहत्तर", "चौहत्तर", "पचहत्तर", "छयहत्तर", "सतहत्तर", "अठहत्तर", "उनासी",
    "असी", "एकासी", "बयासी", "त्रियासी", "चौरासी", "पचासी", "छयासी", "सतासी", "अठासी", "उनान्नब्बे",
    "नब्बे", "एकान्नब्बे", "बयान्नब्बे", "त्रियान्नब्बे", "चौरान्नब्बे", "पन्चान्नब्बे", "छयान्नब्बे", "सन्तान्नब्बे", "अन्ठान्नब्बे", "उनान्सय",
)  # fmt: skip
_UNITS = ((10_000_000, "crore", "करोड"), (100_000, "lakh", "लाख"), (1000, "thousand", "हजार"), (100, "hundred", "सय"))


def in_english(amount: int) -> str:
    """Return "Rupees one lakh twenty-three thousand and fifty paisa only". Raises ``ValueError`` below 0."""
    rupees, paisa = _split(amount)
    words = f"Rupees {_number(rupees, nepali=False)}"
    return f"{words} and {_number(paisa, nepali=False)} paisa only" if paisa else f"{words} only"


def in_nepali(amount: int) -> str:
    """Return the same in Nepali: "एक लाख तेइस हजार रुपैयाँ पचास पैसा मात्र". Raises ``ValueError`` below 0."""
    rupees, paisa = _split(amount)
    words = f"{_number(rupees, nepali=True)} रुपैयाँ"
    return f"{words} {_number(paisa, nepali=True)} पैसा मात्र" if paisa else f"{words} मात्र"


def _split(amount: int) -> tuple[int, int]:
    if amount < 0:
        raise ValueError(f"no words for {amount} paisa")
    return divmod(amount, 100)


def _number(number: int, *, nepali: bool) -> str:
    """Return a number in words; from a hundred crore on the crores are counted by the same words."""
    words = []
    for unit, english, in_nepali_ in _UNITS:
        if number >= unit:
            words.append(f"{_number(number // unit, nepali=nepali)} {in_nepali_ if nepali else english}")
            number %= unit
    if number or not words:
        words.append(_NEPALI[number] if nepali else _below_hundred(number))
    return " ".join(words)


def _below_hundred(number: int) -> str:
    if number < len(_ENGLISH):
        return _ENGLISH[number]
    tens, rest = divmod(number, 10)
    return f"{_TENS[tens]}-{_ENGLISH[rest]}" if rest else _TENS[tens]
