"""Who tries tokens: so many unknown ones a minute from one address, and the next is told to wait.

Tokens are 128 random bits and cannot be guessed; this keeps those who try from costing more than a look-up each. Only
*unknown* tokens count, and a known one is always served: a shop sits behind a proxy, or its visitors behind one, so
that all of them may share an address, and whoever has just paid must not wait because a stranger was guessing.
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

NETWORK = 64
"""bits of an IPv6 address: whoever has one has all that begin so"""


def seconds_to_wait(request: HttpRequest) -> int:
    """Count an unknown token that this request brought; 0 where it may be answered, else the seconds to wait."""
    unknown, caller = RateLimitItemPerMinute(max(1, int(conf.get("UNKNOWN_TOKENS_PER_MINUTE")))), _caller(request)
    if _limiter().hit(unknown, caller):
        return 0
    return max(1, math.ceil(_limiter().get_window_stats(unknown, caller).reset_time - time.time()))


def forget() -> None:
    """Count from 0 again."""
    _limiter.cache_clear()


@cache
def _limiter() -> FixedWindowRateLimiter:
    """In this process's memory, made at the first unknown token: a server's processes count for themselves."""
    return FixedWindowRateLimiter(MemoryStorage())


def _caller(request: HttpRequest) -> str:
    # Never X-Forwarded-For: the caller writes it. Where a server trusts its proxy's, it sets REMOTE_ADDR by it.
    text = str(request.META.get("REMOTE_ADDR", ""))
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:  # a Unix socket has none
        return text
    return str(ip_network((address, NETWORK), strict=False)) if isinstance(address, IPv6Address) else str(address)
