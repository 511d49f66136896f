"""The texts of the demo store in Nepali, and which of the two a reader gets.

Texts are found by their English wording, so that what an editor changes is shown as the editor wrote it.
"""
# ruff: noqa: E501

from __future__ import annotations

from functools import cache

from django.utils.translation import get_language, gettext

from . import catalogue
from .nepali_products import PRODUCTS as NEPALI_PRODUCTS

CATEGORIES = {
    "notebooks": ("नोटबुक र कापी", "दर्जनका दर्जन विद्यालय कापी, जोगाइराख्ने डायरी, र पाल्पाको कपडामा बाँधिएका नोटबुक।"),
    "lokta-paper": (
        "नेपाली लोक्ता कागज",
        "फेरि पलाउने लोक्ताको बोक्राबाट हातैले बनाइएको। न कीराले छुन्छ, न शताब्दीले।",
    ),
    "festive-cards": ("चाडपर्वका कार्ड", "दशैं र तिहारका लागि, र आशीर्वाद बोक्ने हरेक खामका लागि।"),
    "pens-ink": ("कलम र मसी", "हरेक परीक्षा हलको डटपेनदेखि जीवनभर हस्ताक्षर गर्ने फाउन्टेन पेनसम्म।"),
    "pencils-drawing": ("सिसाकलम र चित्र", "कक्षा तीन र कला क्याम्पस दुवैका लागि सिसाकलम, इरेजर र चित्र कोर्ने कागज।"),
    "art-calligraphy": ("कला र लिपि", "रञ्जना लिपिका लागि रङ, ब्रस, पिँधेका ढुङ्गा र बाँसका कलम।"),
    "school-geometry": ("विद्यालय र ज्यामिति", "विद्यालयको सूचीले मागेको, र दोस्रो हप्तामै हराउने सबै।"),
    "office-filing": ("कार्यालय र फाइल", "स्टेपलर, रिम, खाम, र व्यापारको नयाँ वर्ष खोल्ने रातो खाता।"),
    "bags-cases": ("झोला र खोल", "ढाका, अल्लो र राम्रो क्यानभासबाट उपत्यकामै सिलाइएका।"),
}
"""Name and introduction by slug."""
PAGES = {
    "Everything that is written begins here": "लेखिने सबै कुरा यहीँबाट सुरु हुन्छ",
    "Lokta paper from the hills, school copies by the dozen, ink that flows: from our shop in Asan to "
    "your door, anywhere in Nepal.": "पहाडको लोक्ता कागज, दर्जनका दर्जन विद्यालय कापी, बग्ने मसी: असनको हाम्रो पसलबाट नेपालको जुनसुकै ठाउँमा, तपाईंको ढोकासम्म।",
    "Come in": "भित्र आउनुहोस्",
    "Saraswati Stationery, Kathmandu": "सरस्वती स्टेसनरी, काठमाडौं",
    "Paper, pens and ink from Asan, Kathmandu": "काठमाडौंको असनबाट कागज, कलम र मसी",
    "Featured products": "छानिएका सामान",
    "Categories": "वर्गहरू",
    "Dashain is coming": "दशैं आउँदैछ",
    "Ten percent off everything with the coupon DASHAIN10.": "कुपन DASHAIN10 मा सबैमा दस प्रतिशत छुट।",
    "Fill a basket": "सामान थप्नुहोस्",
    "Points on every purchase": "हरेक किनमेलमा अङ्क",
    "A point for every Rs 10, and ten points are a rupee.": "हरेक रु १० मा एक अङ्क, र दस अङ्कको एक रुपैयाँ।",
    "How it works": "यो कसरी चल्छ",
    "Pay with Khalti": "खल्तीबाट तिर्नुहोस्",
    "Or cash on delivery, or bank transfer.": "वा डेलिभरीमा नगद, वा बैंक स्थानान्तरण।",
    "See the shop": "पसल हेर्नुहोस्",
    "Saraswati Points": "सरस्वती अङ्क",
    "A thank-you to every customer with an account. No card, no fee, nothing to sign.": "खाता भएका हरेक ग्राहकलाई धन्यवाद। न कार्ड, न शुल्क, न हस्ताक्षर।",
}
"""The texts of the home page and of the terms, as ``sandbox.home.pages`` has them."""


def in_language(text: str) -> str:
    """Return a text of the demo in the reader's language: a status, a title; any other text unchanged."""
    if not text or not (get_language() or "").startswith("ne"):
        return text
    return _texts().get(text) or gettext(text)


def _html(paragraphs: tuple[str, ...]) -> str:
    return "".join(f"<p>{each}</p>" for each in paragraphs)


@cache
def _texts() -> dict[str, str]:
    """Return the Nepali of each English text."""
    found = dict(PAGES)
    for product in catalogue.PRODUCTS:
        title, summary, *paragraphs = NEPALI_PRODUCTS[product.slug]
        found |= {product.title: title, product.summary: summary, product.description: _html(tuple(paragraphs))}
    for category in _with_children(catalogue.CATEGORIES):
        name, intro = CATEGORIES[category.slug]
        found |= {category.name: name, category.intro: intro, f"<p>{category.intro}</p>": _html((intro,))}
    return found


def _with_children(categories: tuple[catalogue.Category, ...]) -> list[catalogue.Category]:
    return [found for one in categories for found in (one, *_with_children(one.children))]
