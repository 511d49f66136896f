"""Which other hosts our own pages may load from: none, unless static files or the setting say so."""

from urllib.parse import urlsplit

from django.conf import settings

from .settings import get

FILES = "{files}"
"""Stands for this site and the servers of its static files and uploads."""
STRICT = {
    "default-src": "'self'",
    "script-src": FILES,
    "style-src": FILES,
    "img-src": f"{FILES} data:",
    "font-src": FILES,
    "frame-ancestors": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "object-src": "'none'",
}
"""What a page of ours may load, by kind; nothing inline."""


def content_security_policy() -> str:
    """Return the Content-Security-Policy of our pages: the setting ``CONTENT_SECURITY_POLICY``, or the strict one.

    The strict one allows scripts, styles, pictures and fonts of this site, and of the servers that ``STATIC_URL`` and
    ``MEDIA_URL`` name.
    """
    if own := str(get("CONTENT_SECURITY_POLICY")):
        return own
    others = sorted({_origin(settings.STATIC_URL), _origin(settings.MEDIA_URL)} - {""})
    files = " ".join(["'self'", *others])
    return "; ".join(f"{kind} {allowed.replace(FILES, files)}" for kind, allowed in STRICT.items())


def _origin(address: str | None) -> str:
    """Return the server of an address, "" for a path on this one."""
    parts = urlsplit(address or "")
    return f"{parts.scheme or 'https'}://{parts.netloc}" if parts.netloc else ""
