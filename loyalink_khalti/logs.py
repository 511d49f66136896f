"""Structured logs: which request, payment and purchase a log record is about, and records as lines of JSON.

For the shop's ``LOGGING`` (docs/operations.md has it whole)::

    "filters": {"loyalink": {"()": "loyalink_khalti.logs.ContextFilter"}},
    "formatters": {"json": {"()": "loyalink_khalti.logs.JsonFormatter"}},
"""

import json
import logging
import re
import secrets
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from opentelemetry import trace

from loyalink_khalti import telemetry
from loyalink_khalti.after_response import request_of_this_work
from loyalink_khalti.errors import safe_trace

FIELDS = ("request_id", "verb", *telemetry.FIELDS, "trace_id", "span_id")
"""The fields that ``ContextFilter`` adds to each record; None where they are not known."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ATTRIBUTE = "_loyalink_request_id"


class ContextFilter(logging.Filter):
    """Add ``FIELDS`` to every record of a handler; it keeps all of them.

    ``request_id_header`` names the header in which a trusted proxy sends the id of the request, and replaces what the
    browser has sent there: ``X-Request-ID``. Without it, or where it holds anything but letters, digits, ``.``, ``_``
    and ``-``, the id is a random one.
    """

    def __init__(self, name: str = "", *, request_id_header: str = "") -> None:
        super().__init__(name)
        self._header = request_id_header

    def filter(self, record: logging.LogRecord) -> bool:
        fields: dict[str, Any] = dict.fromkeys(FIELDS) | telemetry.current_fields()
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            fields |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        request = request_of_this_work() or getattr(record, "request", None)  # Django logs an error page later
        if isinstance(request, HttpRequest):
            fields["request_id"] = request_id(request, header=self._header)
        for name, value in fields.items():
            if getattr(record, name, None) is None:
                setattr(record, name, value)
        return True


def request_id(request: HttpRequest, *, header: str = "") -> str:
    """Return the id of a request: that of a trusted ``header``, else a random one; the same at each call."""
    known: str | None = getattr(request, _ATTRIBUTE, None)
    if known is None:
        sent = request.headers.get(header, "") if header else ""
        known = sent if _ID.fullmatch(sent) else secrets.token_hex(8)
        setattr(request, _ATTRIBUTE, known)
    return known


class JsonFormatter(logging.Formatter):
    """Write a record as one line of JSON: time, level, logger, message and those of ``FIELDS`` that are known.

    Of an exception it has the type and the calls: its message and the values in its frames may be personal data.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name in FIELDS if (value := getattr(record, name, None)) is not None},
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = safe_trace(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)
