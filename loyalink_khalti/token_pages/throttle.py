"""A limit on unknown tokens per minute and network. Beyond it, the answer is to wait.

Tokens are 128 random bits and cannot be guessed. The limit keeps guesses cheap: each costs one query at most. Only
*unknown* tokens count, and a known one is always served. Customers behind one proxy share an address, and a customer
who has just paid must not wait because of another caller's guesses.
"""

from django.http import HttpRequest
from limits import RateLimitItemPerMinute

from loyalink_khalti import conf


def seconds_to_wait(request: HttpRequest) -> int:
    """Count the unknown token of this request. Return 0 if it may be answered, otherwise the seconds to wait."""
    limit = RateLimitItemPerMinute(max(1, int(conf.get("UNKNOWN_TOKENS_PER_MINUTE"))))
    network = conf.client_network(request) or str(request.META.get("REMOTE_ADDR", ""))
    return conf.seconds_to_wait(limit, "unknown token", network)
