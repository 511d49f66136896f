"""The request that this thread or task is answering, for code that a framework calls without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest

_current: ContextVar[HttpRequest | None] = ContextVar("loyalink_khalti_request", default=None)


def current_request() -> HttpRequest | None:
    """Return the request, None outside one or where ``PendingPaymentMiddleware`` is not installed."""
    return _current.get()


@contextmanager
def answering(request: HttpRequest) -> Iterator[None]:
    """Make a request the current one while it is answered."""
    token = _current.set(request)
    try:
        yield
    finally:
        _current.reset(token)
