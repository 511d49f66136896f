"""The code on the receipt of a customer without an account: a name that finds the sale, and a secret half.

Only a keyed hash of the secret half is stored. It ends with the claim, with a new code, after ``MAX_TRIES`` wrong
tries, and ``CLAIM_PERIOD`` after the sale.
"""

import secrets
from datetime import timedelta

from django.utils.crypto import constant_time_compare, salted_hmac

from loyalink_khalti.nepal import ascii_digits
from loyalink_khalti.payments.counter_sales import CounterSale

CLAIM_PERIOD = timedelta(days=30)
"""How long after the sale its points can be claimed, however often a code was printed."""
MAX_TRIES = 10
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Characters that are read alike by everybody: no 0 and O, no 1, I and L, no U."""
HALF = 5
_READ_AS = str.maketrans("", "", " -–—")
_SALT = "loyalink_khalti.flow.counter.codes"


def set_claim_code(sale: CounterSale) -> str:
    """Give a sale, which the caller saves, a new code, and return it as it is printed: ``K7QF2-M9X3T``."""
    name, secret = _random(), _random()
    sale.claim_name, sale.claim_hash, sale.claim_tries = name, _hash(name, secret), 0
    sale.claim_until = sale.sold_at + CLAIM_PERIOD
    return f"{name}-{secret}"


def clear_claim_code(sale: CounterSale) -> None:
    """Take the code of a sale away; the caller saves it."""
    sale.claim_name, sale.claim_hash = None, ""


def split_code(typed: str) -> tuple[str, str] | None:
    """Return the two halves of a typed code; None for what cannot be one."""
    text = ascii_digits(typed).translate(_READ_AS).upper()
    if len(text) != 2 * HALF or not set(text) <= set(ALPHABET):
        return None
    return text[:HALF], text[HALF:]


def is_secret(sale: CounterSale, secret: str) -> bool:
    """Return whether this is the secret half of the code of a sale."""
    return bool(sale.claim_hash) and constant_time_compare(sale.claim_hash, _hash(sale.claim_name or "", secret))


def _random() -> str:
    return "".join(secrets.choice(ALPHABET) for _each in range(HALF))


def _hash(name: str, secret: str) -> str:
    return salted_hmac(_SALT, f"{name}:{secret}", algorithm="sha256").hexdigest()
