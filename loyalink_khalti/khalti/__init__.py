"""Khalti's web checkout (KPG-2) on the wire: initiate, lookup, refund. Knows neither Django nor orders."""

from .client import Khalti, is_khaltis
from .gate import Gate, Places
from .secret import Secret
from .transport import Answer, Transport, hang_up
from .wire import Initiate, Initiated, Lookup, Status

__all__ = [
    "Answer",
    "Gate",
    "Initiate",
    "Initiated",
    "Khalti",
    "Lookup",
    "Places",
    "Secret",
    "Status",
    "Transport",
    "hang_up",
    "is_khaltis",
]
