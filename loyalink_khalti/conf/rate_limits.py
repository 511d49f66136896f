"""How often something may be done, the network from which it is done, and what is remembered for a while.

Counted by ``limits`` in Django's cache ``CACHE``, which the processes of a shop share unless it is Django's default
cache in memory. While that fails each process counts for itself, so that no shop stops with it (``servers.ask``).
"""

import math
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, TypeVar

from django.core.cache.backends.base import BaseCache
from django.http import HttpRequest
from limits import RateLimitItem
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from loyalink_khalti.payments import servers

from .settings import get

T = TypeVar("T")


def ask_cache(work: Callable[[Any], T], otherwise: Callable[[], T] | None = None) -> T:
    """Return what ``work`` returns for the cache ``CACHE``; see ``servers.ask`` for what happens while that fails."""
    return servers.ask(str(get("CACHE")), work, otherwise)


def is_cache_failing() -> bool:
    """Return whether the cache ``CACHE`` has failed in this process and is not back yet."""
    return servers.is_failing(str(get("CACHE")))


def seconds_to_wait(limit: RateLimitItem, *who: str) -> int:
    """Count one more of ``who`` and return 0 if that is within the limit, otherwise the seconds to wait."""

    def count(shared: BaseCache) -> int:
        limiter = FixedWindowRateLimiter(CacheStorage(shared))
        if limiter.hit(limit, *who):
            return 0
        wait = math.ceil(limiter.get_window_stats(limit, *who).reset_time - time.time())
        return min(max(1, wait), limit.get_expiry())  # the window began by the clock of another server

    return ask_cache(count)


def remember(name: str, *, seconds: float) -> None:
    """Remember a fact for ``seconds``, in all processes that share the cache."""
    ask_cache(lambda shared: shared.set(_key(name), 1, seconds))


def is_remembered(name: str) -> bool:
    """Return whether ``remember`` was called and its seconds are not over."""
    return bool(ask_cache(lambda shared: shared.get(_key(name))))


def _key(name: str) -> str:
    return servers.cache_key("limit", name)


class CacheStorage(Storage):
    """Django's cache as a storage of ``limits``, in fixed windows that begin with the first hit."""

    STORAGE_SCHEME = None

    def __init__(self, cache: BaseCache) -> None:
        super().__init__()
        self._cache = cache

    @property
    def base_exceptions(self) -> type[Exception]:
        return Exception

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        name, end = _key(key), time.time() + expiry
        if self._cache.add(f"{name}:end", end, expiry):
            self._cache.set(name, 0, expiry)
        try:
            count = int(self._cache.incr(name, amount))
        except ValueError:  # it was culled, or expired just now
            self._cache.set(name, amount, expiry)
            return amount
        self._cache.touch(name, expiry)  # most caches' incr() sets their default timeout (Django 6.0)
        return count

    def get(self, key: str) -> int:
        return int(self._cache.get(_key(key), 0))

    def get_expiry(self, key: str) -> float:
        return float(self._cache.get(f"{_key(key)}:end", time.time()))

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        return None  # Django's cache cannot list its keys

    def clear(self, key: str) -> None:
        self._cache.delete_many([_key(key), f"{_key(key)}:end"])


IPV4_BITS, IPV6_BITS = 24, 64
"""A provider assigns at least an IPv6 prefix of 64 bits, so one caller has all the addresses below it."""


def client_network(request: HttpRequest) -> str:
    """Return the network of the client, for example ``198.51.100.0/24``; "" where it is not known.

    A network is addresses that share a prefix, since one caller often has all of them. Customers of a mobile operator
    share addresses too, so limits per network are generous.

    The caller writes ``X-Forwarded-For``, so only the entries of ``TRUSTED_PROXIES`` are believed: with 1, the last.
    A client on a private address that sends that header is a proxy of which this shop's settings do not say.
    """
    forwarded = [each.strip() for each in request.headers.get("X-Forwarded-For", "").split(",") if each.strip()]
    proxies = get("TRUSTED_PROXIES")
    if proxies and len(forwarded) >= proxies:
        return _network_of(forwarded[-proxies])
    text = str(request.META.get("REMOTE_ADDR", ""))
    address = _address(text)
    if proxies is None and forwarded and (address is None or not address.is_global):
        return ""
    return _network_of(text)


def _network_of(text: str) -> str:
    """Return the prefix of an address; what is none, for example a Unix socket's name, is returned as it is."""
    address = _address(text)
    if address is None:
        return text
    bits = IPV6_BITS if isinstance(address, IPv6Address) else IPV4_BITS
    return str(ip_network((address, bits), strict=False))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
