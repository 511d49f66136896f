"""A limit on unknown tokens per minute and network. Beyond it, the answer is to wait.

Tokens are 128 random bits and cannot be guessed. The limit keeps guesses cheap: each costs one query at most. Only
*unknown* tokens count, and a known one is always served. Customers behind one proxy share an address, and a customer
who has just paid must not wait because of another caller's guesses.
"""

import math
import time
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from loyalink_khalti import conf

IPV6_NETWORK_BITS = 64
"""A provider assigns at least this prefix, so one caller has all the addresses below it."""


def seconds_to_wait(request: HttpRequest) -> int:
    """Count the unknown token of this request. Return 0 if it may be answered, otherwise the seconds to wait."""
    limit, network = RateLimitItemPerMinute(max(1, int(conf.get("UNKNOWN_TOKENS_PER_MINUTE")))), _network(request)
    if _limiter().hit(limit, network):
        return 0
    return max(1, math.ceil(_limiter().get_window_stats(limit, network).reset_time - time.time()))


def reset() -> None:
    """Start all counts from 0."""
    _limiter.cache_clear()


@cache
def _limiter() -> FixedWindowRateLimiter:
    """Return this process's limiter. It counts in memory: each process of a server counts for itself."""
    return FixedWindowRateLimiter(MemoryStorage())


def _network(request: HttpRequest) -> str:
    # Not X-Forwarded-For: the caller writes it. A server that trusts its proxy sets REMOTE_ADDR from it.
    text = str(request.META.get("REMOTE_ADDR", ""))
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:  # a Unix socket has no address
        return text
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_NETWORK_BITS), strict=False))
    return str(address)
