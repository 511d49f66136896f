"""What a call to Khalti is made with: the merchant's secret key, and the servers to which it may be sent.

Key formats: https://docs.khalti.com/khalti-epayment/#api-authorization
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable
from typing import Any, NoReturn, Self
from urllib.parse import SplitResult, urlsplit

_NAMED = re.compile(r"([a-z]+_)(?:secret|public)_key_")
_SHORTEST_SHOWN = 16  # the last four characters of a shorter key would reveal too much of it


class Secret:
    """Hold a secret key. Only ``reveal`` returns it; everything else shows ``live_…b455``.

    Raises ``ValueError`` for text that cannot be a key, without repeating it.
    """

    __slots__ = ("_mask", "_open", "fingerprint")

    _mask: str
    _open: Callable[[], str]
    fingerprint: str
    """8 hex digits that identify the key in logs and audits."""

    def __init__(self, key: str) -> None:
        object.__setattr__(self, "_mask", "…")  # error pages show an unfinished object too
        if problem := _problem(key):
            del key  # an error page prints the variables of this frame
            raise ValueError(f"the secret key {problem}")
        object.__setattr__(self, "_open", lambda: key)
        object.__setattr__(self, "_mask", _mask(key))
        digest = hmac.digest(b"loyalink-khalti:key-fingerprint", key.encode("ascii"), hashlib.sha256)
        object.__setattr__(self, "fingerprint", digest.hex()[:8])

    def reveal(self) -> str:
        """Return the key in plain text."""
        return self._open()

    # Django templates call any callable that lacks this attribute.
    reveal.alters_data = True  # type: ignore[attr-defined]  # an attribute of a function

    def __str__(self) -> str:
        return self._mask

    def __repr__(self) -> str:
        return f"<Secret {self._mask}>"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        return hmac.compare_digest(self.reveal(), other.reveal()) if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret is immutable")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")


def _problem(key: object) -> str:
    """Return what is wrong with a key, without repeating it; "" when it is valid."""
    if not isinstance(key, str):
        return "is not text"
    if not key:
        return "is empty"
    if not all("!" <= character <= "~" for character in key):
        return "has characters other than printable ASCII, or white space"
    return ""


def _mask(key: str) -> str:
    named = _NAMED.match(key)
    secret = key[named.end() :] if named else key
    return f"{named[1] if named else ''}…{secret[-4:] if len(secret) >= _SHORTEST_SHOWN else ''}"


# Only these servers are called, and customers are redirected only to these


_VISIBLE = re.compile("[!-~]*")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")


def is_khalti_url(url: str, *, base_url: str) -> bool:
    """Whether ``url`` is on khalti.com or a subdomain (https only), or on the host of the configured ``base_url``.

    Khalti's servers: https://docs.khalti.com/khalti-epayment/#api-endpoints
    """
    parts, base = _parts(url), _parts(base_url)
    if parts is None or base is None:
        return False
    if _is_khalti_com(parts.hostname):
        return parts.scheme == "https" and parts.port in (None, 443)
    return parts.hostname == base.hostname and (parts.scheme == "https" or _is_loopback(parts.hostname))


def checked_base_url(url: str) -> str:
    """Return the base URL of an API with a trailing slash. Raises ``ValueError`` when it must not be called."""
    url = url if url.endswith("/") else f"{url}/"
    parts = _parts(url)
    if parts is None or "?" in url or "#" in url:
        raise ValueError("this is not the base URL of an API, such as https://khalti.com/api/v2/")
    if not is_khalti_url(url, base_url=url):
        raise ValueError(f"plain http is allowed for this machine only, not for {parts.hostname}")
    return url


def _parts(url: object) -> SplitResult | None:
    """Split an http(s) URL that all browsers and libraries parse alike. Return None for any other."""
    # Browsers read \ as /, drop tabs and newlines, and map look-alike letters to ASCII. None of these is allowed.
    if not isinstance(url, str) or not _VISIBLE.fullmatch(url) or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    plain = url.lower().startswith(("http://", "https://")) and "@" not in parts.netloc
    if not plain or port == 0 or parts.netloc.endswith(":"):
        return None
    host = re.sub(r":\d+$", "", parts.netloc.lower()) if "]" not in parts.netloc else f"[{parts.hostname}]"
    return parts if _HOST.fullmatch(host) and ".." not in host else None


def _is_khalti_com(host: str | None) -> bool:
    return host is not None and (host == "khalti.com" or host.endswith(".khalti.com"))


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
