"""The only door to the points: each verb moves them between buckets in the caller's transaction, once.

Repeating a verb with the same figures changes nothing and gives the same answer; with other figures it raises
``Conflict``. Amounts are points, values paisa. The verbs live in ``spending``, ``awarding``, ``refunding``,
``people``, ``sweeping``, ``warning`` and ``importing``; all write through ``book``.
"""

from .accounts import due_points, find
from .awarding import Bought, award, sign_up
from .importing import import_points, imported
from .people import adjust, data_of, erase, freeze, merge, was_adjusted
from .refunding import Returned, refund
from .spending import capture, hold, late_capture, release
from .sweeping import accounts_to_sweep, downgrade, expire, sweep
from .warning import ExpiringSoon, accounts_to_warn, warn

__all__ = [
    "Bought",
    "ExpiringSoon",
    "Returned",
    "accounts_to_sweep",
    "accounts_to_warn",
    "adjust",
    "award",
    "capture",
    "data_of",
    "downgrade",
    "due_points",
    "erase",
    "expire",
    "find",
    "freeze",
    "hold",
    "import_points",
    "imported",
    "late_capture",
    "merge",
    "refund",
    "release",
    "sign_up",
    "sweep",
    "warn",
    "was_adjusted",
]
