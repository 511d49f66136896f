"""The client for Khalti's web checkout (KPG-2): initiate, lookup, refund. It uses neither Django nor orders.

https://docs.khalti.com/khalti-epayment/ and https://docs.khalti.com/api/refund/
"""

from .circuit_breaker import CircuitBreaker, ConcurrencyLimit
from .client import Khalti
from .credentials import Secret, is_khalti_url
from .transport import Answer, Transport, close_connections
from .wire import Initiate, Initiated, Lookup, Status

__all__ = [
    "Answer",
    "CircuitBreaker",
    "ConcurrencyLimit",
    "Initiate",
    "Initiated",
    "Khalti",
    "Lookup",
    "Secret",
    "Status",
    "Transport",
    "close_connections",
    "is_khalti_url",
]
