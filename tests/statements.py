"""Statements on the wire, with those that begin and end transactions, and which of them are this package's own."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

OWN = "loyalink_khalti"
HOSTS = ("oscar", "salesman", OWN)
"""Packages one of which has sent a statement: the one whose function was called last."""
MIDDLEWARE = (f"{OWN}.storefront.middleware", ("__call__", "_answer"))
"""Around every view, whosever it is."""


@contextmanager
def sent_statements() -> Iterator[list[str]]:
    """Collect the statements that this thread's connection sends, BEGIN, COMMIT and savepoints too."""
    sent: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield sent
    sent += [query["sql"] for query in captured.captured_queries]


@contextmanager
def own_statements() -> Iterator[list[str]]:
    """Collect the statements of functions of this package alone: what a page costs more than without it.

    Those of a host or of Django that it calls are theirs.
    """
    own: list[str] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if _sender(sys._getframe()) == OWN:
            own.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield own


def _sender(frame: FrameType | None) -> str:
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        package = module.partition(".")[0]
        if package in HOSTS:
            return "" if module == MIDDLEWARE[0] and frame.f_code.co_name in MIDDLEWARE[1] else package
        frame = frame.f_back
    return ""
