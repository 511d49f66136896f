"""What can wait until the browser has its answer: mails, a look at a payment that nobody came back for.

Inside a request it is done when the response is out, in the same thread; anywhere else at once. Under ASGI it takes
our middleware to know that there is a request.
"""

import logging
from collections.abc import Callable
from typing import Any

from asgiref.local import Local
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http.response import HttpResponseBase

from loyalink_khalti.errors import traced

log = logging.getLogger(__name__)

Work = Callable[[], object]
_request = Local()


def afterwards(work: Work) -> None:
    """Do it after the response of the request that is under way, or now where there is none."""
    waiting: list[Work] | None = getattr(_request, "waiting", None)
    if waiting is None:
        work()
    else:
        waiting.append(work)


def in_request() -> bool:
    """Whether a request is being answered just now."""
    return getattr(_request, "waiting", None) is not None


def begin(**_signal: Any) -> None:
    """Collect what is to wait for this request's end."""
    _request.waiting = []


def end(**_signal: Any) -> None:
    """Do what has waited."""
    _do(_taken())


def until_closed(answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Answer a request of ASGI, whose signals are heard in contexts of their own: here what waits hangs on the answer.

    A server closes a response when its last byte is written.
    """
    begin()
    try:
        response = answer()
    finally:
        waiting = _taken()
    close = response.close

    def close_and_do() -> None:
        close()
        _do(waiting)

    response.close = close_and_do  # type: ignore[method-assign]  # of this one response
    return response


def listen() -> None:
    """Hear of requests; called once, when the apps are ready."""
    request_started.connect(begin, dispatch_uid="loyalink_khalti.afterwards")
    request_finished.connect(end, dispatch_uid="loyalink_khalti.afterwards")


def _taken() -> list[Work]:
    waiting: list[Work] = getattr(_request, "waiting", None) or []
    _request.waiting = None
    return waiting


def _do(waiting: list[Work]) -> None:
    """One after the other; what fails is logged, and keeps nothing else from being done."""
    for work in waiting:
        try:
            work()
        except Exception as exc:  # noqa: BLE001 - the response is out, and nobody else is there to hear of it
            log.error("after a response: %s", traced(exc))
    if waiting:
        close_old_connections()
