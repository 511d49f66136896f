"""Which servers are Khalti's: the only ones that are called, and the only ones that a payer is sent to."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")


def is_khaltis(url: str, *, base_url: str) -> bool:
    """Whether ``url`` is on khalti.com (https only) or on the host of the deployment's own ``base_url``."""
    parts, base = _parts(url), _parts(base_url)
    if parts is None or base is None:
        return False
    if _is_khalti_com(parts.hostname):
        return parts.scheme == "https" and parts.port in (None, 443)
    return parts.hostname == base.hostname and (parts.scheme == "https" or _is_loopback(parts.hostname))


def base(url: str) -> str:
    """Check the base URL of an API and end it with a slash; ``ValueError`` where no call may go to it."""
    url = url if url.endswith("/") else f"{url}/"
    parts = _parts(url)
    if parts is None or "?" in url or "#" in url:
        raise ValueError("not the base URL of an API, like https://khalti.com/api/v2/")
    if not is_khaltis(url, base_url=url):
        raise ValueError(f"plain http is for this machine alone, not for {parts.hostname}")
    return url


def _parts(url: object) -> SplitResult | None:
    """Take apart an http(s) URL that every browser and library reads alike; None for any other."""
    # Browsers read \ as /, drop tabs and newlines, and fold look-alikes into ASCII: none of these belong here.
    if not isinstance(url, str) or not all("!" <= character <= "~" for character in url) or "\\" in url:
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
