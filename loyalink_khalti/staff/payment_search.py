"""Find orders by whatever is printed anywhere: an id of Khalti's, a bank's reference, or words of the order.

An id may be typed in other letters (``gfq9…`` for ``GFq9…``), with spaces that a print has broken it by, with a ``#``
before it, and with digits of either script. Each kind is found by an index of its own.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Upper

from loyalink_khalti.nepal import ascii_digits, nepali_mobile
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.received import ReceivedMoney

_KHALTI_ID = re.compile(r"[A-Z0-9_-]{6,128}")
"""A pidx or transaction id in capitals; those of Khalti have some 22 letters and digits."""
_ORDER_ID = re.compile(r"(\S{1,128})-(\d{1,5})")
"""``Payment.purchase_order_id``: the order's reference and the number of the attempt."""
_LONGEST_REFERENCE = 128
_MOST = 10

Finder = Callable[[str], Iterable[int]]
FINDERS: list[Finder] = []
"""Other parts of the desk that print a number of their own: each finds the pks of the purchases with exactly it."""


def payments_with_id(query: str) -> list[int]:
    """Return at most 10 pks of payments with this pidx or transaction id, in any letters, or purchase order id."""
    typed = _typed(query)
    found = [pk for pk, _purchase in _payments(typed)]
    return found or [pk for pk, _purchase in _of_order_id(typed)]


def search_purchases(purchases: "QuerySet[Purchase]", query: str) -> "QuerySet[Purchase]":
    """Return the purchases that a typed or pasted text names: exactly by an id, else by the beginnings of words."""
    typed = _typed(query)
    if not typed:
        return purchases
    if exact := _exact(typed):
        return purchases.filter(pk__in=sorted(exact))
    return purchases.filter(search_text__matches=nepali_mobile(_without_label(typed)) or typed)


def _exact(typed: str) -> set[int]:
    """Return the purchases that are named by an id; three statements, and those of other parts of the desk."""
    found = {purchase for _pk, purchase in (*_payments(typed), *_of_order_id(typed))}
    found.update(_of_reference(typed))
    for finder in FINDERS:
        found.update(finder(typed))
    return found


def _typed(query: str) -> str:
    """Return a text with letters and digits in their usual form, and without a ``#`` before its words."""
    text = ascii_digits(unicodedata.normalize("NFKC", query))
    return " ".join(word.lstrip("#") for word in text.split()).strip()


def _without_label(typed: str) -> str:
    """Return what follows ``tel:``, ``phone:`` and the like."""
    return re.sub(r"^[a-z. ]{2,10}:\s*", "", typed, flags=re.IGNORECASE)


def _payments(typed: str) -> list[tuple[int, int]]:
    """Return payment and purchase by Khalti's ids, each column by its own index."""
    wanted = re.sub(r"\s", "", typed).upper()
    if not _KHALTI_ID.fullmatch(wanted):
        return []
    rows = Payment.objects.alias(upper_pidx=Upper("pidx"), upper_transaction=Upper("transaction_id"))
    ids = Q(upper_pidx=wanted) | Q(upper_transaction=wanted)
    return list(rows.filter(ids).values_list("pk", "purchase")[:_MOST])


def _of_order_id(typed: str) -> list[tuple[int, int]]:
    """Return payment and purchase by the id of an attempt: the words of the order lead to it."""
    found = _ORDER_ID.fullmatch(typed)
    if found is None:
        return []
    ref, attempt = found[1], int(found[2])
    rows = Payment.objects.filter(
        purchase__search_text__matches=ref, purchase__ref__iexact=ref, attempt=attempt
    )  # fmt: skip
    return list(rows.values_list("pk", "purchase")[:_MOST])


def _of_reference(typed: str) -> Iterator[int]:
    """Yield the purchases of received money with this reference of a bank."""
    if len(typed) <= _LONGEST_REFERENCE:
        rows: Any = ReceivedMoney.objects.alias(upper=Upper("reference")).exclude(reference="")
        yield from rows.filter(upper=typed.upper()).values_list("purchase", flat=True)[:_MOST]
