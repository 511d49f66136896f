"""Order numbers that nobody can guess, a fresh one for each hold."""

import secrets

from oscar.core.loading import get_model

from .options import options

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Nothing that is mistaken for something else on the phone: no 0/O, 1/I/L, U/V."""


def fresh() -> str:
    """A number that no order has: ``SS-7K2MA-9QXDT``.

    Oscar's own, 100000 + basket, can be counted through, and a basket that was given back could never be ordered
    again under it.
    """
    order = get_model("order", "Order")
    while True:
        number = options().number_prefix + "-".join(_group() for _ in range(2))
        if not order.objects.filter(number=number).exists():
            return number


def _group() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(5))
