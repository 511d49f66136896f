"""Work that can wait until the browser has its response (sending e-mails, a lookup), and the request of this thread.

In a request it runs after the response is sent, in the same thread; anywhere else it runs at once. Under ASGI, and for
streamed responses, this needs our middleware. It continues the trace of the request, and its log records name it.
"""

import logging
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from asgiref.local import Local
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from loyalink_khalti import telemetry
from loyalink_khalti.errors import safe_trace

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[], object]
_current: ContextVar[HttpRequest | None] = ContextVar("loyalink_khalti_request", default=None)
_origin: ContextVar[HttpRequest | None] = ContextVar("loyalink_khalti_origin", default=None)
reads: ContextVar[dict[Hashable, Any] | None] = ContextVar("loyalink_khalti_reads", default=None)
"""What ``once_per_request`` has read in the current request. A transaction of the flow empties it before and after:
nothing that was read before a lock counts after it."""
_request = Local()
"""Of the request in this thread: ``scheduled`` work while its view runs, ``streaming`` work while its body is sent."""


def after_response(work: Work) -> None:
    """Run ``work`` after the response of the current request; at once where there is none."""
    scheduled: list[Work] | None = getattr(_request, "scheduled", None)
    if scheduled is None:
        work()
    else:
        scheduled.append(_continuing(telemetry.carried(work)))


def _continuing(work: Work) -> Work:
    """Return work that knows of which request it is: see ``request_of_this_work``."""
    request = request_of_this_work()
    if request is None:
        return work

    def run() -> None:
        token = _origin.set(request)
        try:
            work()
        finally:
            _origin.reset(token)

    return run


def in_request() -> bool:
    """Return whether this thread is answering a request, so that work is scheduled."""
    return getattr(_request, "scheduled", None) is not None


def current_request() -> HttpRequest | None:
    """Return the request that is being answered, for code that a framework calls without it; None outside one.

    None, too, where ``PendingPaymentMiddleware`` is not installed.
    """
    return _current.get()


def once_per_request(what: Hashable, read: Callable[[], T]) -> T:
    """Return what ``read`` returns, which is called once for all parts of a page that need it; ``what`` names it.

    Not in a job, and not across a transaction of the flow. Never for a row that is written.
    """
    known = reads.get()
    if known is None:
        return read()
    if what not in known:
        known[what] = read()
    return cast(T, known[what])


def read_again() -> None:
    """Forget what ``once_per_request`` has read in this request."""
    (reads.get() or {}).clear()


def request_of_this_work() -> HttpRequest | None:
    """Return the current request or, after its response, that of the work that it has left; for log records."""
    return _current.get() or _origin.get()


@contextmanager
def answering(request: HttpRequest) -> Iterator[None]:
    """Make a request the current one while it is answered."""
    token, reads_before = _current.set(request), reads.set({})
    try:
        yield
    finally:
        _current.reset(token)
        reads.reset(reads_before)


def start(**_signal: Any) -> None:
    """Begin to schedule work for a new request. Receives ``request_started``."""
    _request.scheduled, _request.streaming = [], []


def finish(**_signal: Any) -> None:
    """Run what is scheduled. Receives ``request_finished``, which Django sends when the response is closed."""
    streaming: list[Work] = getattr(_request, "streaming", None) or []
    _request.streaming = []
    _run(streaming + _take())


def body_follows() -> None:
    """End the request's scheduling once its view has returned a streamed response; its work runs when it is closed.

    A stream that is never read to its end is never closed either, and ``request_finished`` is not sent: this thread
    must not go on to schedule work for it.
    """
    _request.streaming = _take()


def run_when_closed(respond: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Answer an ASGI request and run its work when the server closes the response, after the last byte.

    Under ASGI Django 5.2 sends its signals in contexts of their own, so that the work hangs on the response instead.
    Where the browser leaves while its page is made, there is none (``CancelledError``): the work runs at once.
    """
    start()
    try:
        response = respond()
    except BaseException:
        _run(_take())
        raise
    scheduled = _take()
    close = response.close

    def close_and_run() -> None:
        close()
        _run(scheduled)

    response.close = close_and_run  # type: ignore[method-assign]  # of this one response
    return response


def connect() -> None:
    """Connect Django's request signals; called once, when the apps are ready."""
    request_started.connect(start, dispatch_uid="loyalink_khalti.after_response")
    request_finished.connect(finish, dispatch_uid="loyalink_khalti.after_response")


def _take() -> list[Work]:
    scheduled: list[Work] = getattr(_request, "scheduled", None) or []
    _request.scheduled = None
    return scheduled


def _run(scheduled: list[Work]) -> None:
    """Run one after the other; one that fails is logged and does not stop the others."""
    for work in scheduled:
        try:
            work()
        except Exception as exc:  # noqa: BLE001 - the response is sent: there is no caller left
            log.error("after a response: %s", safe_trace(exc))
    if scheduled:
        close_old_connections()
