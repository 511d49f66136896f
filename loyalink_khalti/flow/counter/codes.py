"""The two codes of the counter: that of a points card, which redeems points, and that of a receipt, which claims them.

That of a receipt is for a customer without an account: a name that finds the sale, and a secret half. Only a keyed
hash of the secret half is stored. It ends with the claim, with a new code, after ``MAX_TRIES`` wrong tries, and
``CLAIM_PERIOD`` after the sale.
"""

import secrets
from datetime import timedelta

from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import IssuedCode
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


class NoCode(LoyalinkError):
    """No code can be shown; ``str()`` is a sentence for the member."""


def show_counter_code(*, site_key: str, member_id: str) -> IssuedCode:
    """Return a new code of a member, good for minutes and for one sale; the one before is void.

    Raises ``NoCode`` where the member has no points to use or has had too many codes, and ``InsideTransaction``.
    """
    forbid_transaction("show_counter_code")
    account = ledger.own_account(site_key, member_id)
    if account is None or account.has_ended or account.left_at is not None or not account.available:
        raise NoCode(_("You have no points to use at the moment."))
    if account.blocked:
        raise NoCode(_("Your points are blocked. Please contact the shop."))
    issued = in_one_block(lambda: ledger.issue_counter_code(site_key=site_key, member_id=member_id))
    if issued is None:
        raise NoCode(_("That was one code too many. Please try again in an hour."))
    return issued
