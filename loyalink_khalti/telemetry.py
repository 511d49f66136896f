"""Spans and metrics of a purchase, by OpenTelemetry's interface, and the fields that its log records carry.

Without an SDK, which a site installs and configures itself, spans and metrics do nothing and cost a few microseconds
a purchase. Attributes are OpenTelemetry's own where it has them (https://opentelemetry.io/docs/specs/semconv/), else
below ``loyalink_khalti.``. None of them is personal data, a key, an amount, or a text that somebody else has written.
"""

from collections.abc import Callable, Iterable
from contextvars import ContextVar, Token
from enum import StrEnum
from functools import partial, wraps
from time import perf_counter
from typing import Any, ParamSpec, Self, TypeVar
from urllib.parse import urlsplit

from opentelemetry import context, metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import INVALID_SPAN, SpanKind, Status, StatusCode

from loyalink_khalti.errors import LoyalinkError

P = ParamSpec("P")
T = TypeVar("T")

NAME = "loyalink_khalti"
FIELDS = {
    "payment_id": f"{NAME}.payment.id",
    "purchase": f"{NAME}.purchase.key",
    "site_key": f"{NAME}.site.key",
    "attempt": f"{NAME}.attempt",
}
"""What ``about`` takes: the names on log records, and as attributes of spans. Metrics have none of them."""
VERB, OUTCOME, OPERATION, ANSWER = f"{NAME}.verb", f"{NAME}.outcome", f"{NAME}.operation", f"{NAME}.answer"
STATE, REASON, MOVEMENT, WAIT = f"{NAME}.state", f"{NAME}.reason", f"{NAME}.movement", f"{NAME}.wait"
OK, REFUSED, ERROR = "ok", "refused", "error"
"""Outcomes of what has none of its own: it returned, it raised a ``LoyalinkError``, or another exception."""
CLOSED, HALF_OPEN, OPEN = range(3)
"""The values of ``loyalink_khalti.breaker``."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 30, 60)
"""The buckets of durations: those of OpenTelemetry's conventions for HTTP, and two for waits and passes."""

_tracer = trace.get_tracer(NAME)
_meter = metrics.get_meter(NAME)
_seconds: Callable[..., Any] = partial(_meter.create_histogram, unit="s", explicit_bucket_boundaries_advisory=SECONDS)
_verbs = _seconds(f"{NAME}.verb.duration", description="What the flow does, by verb and outcome")
_calls = _seconds(f"{NAME}.khalti.duration", description="Calls to Khalti, by operation and answer")
_lookups = _meter.create_counter(f"{NAME}.lookups", "{lookup}", "Lookups, by Khalti's answer")
_payments = _meter.create_counter(f"{NAME}.payments", "{payment}", "Payments, by the state that they have entered")
_refunds = _meter.create_counter(f"{NAME}.refunds", "{refund}", "Refunds, by the state that they have entered")
_flags = _meter.create_counter(f"{NAME}.flags", "{flag}", "Flags raised, by reason")
_points = _meter.create_counter(f"{NAME}.points", "{point}", "Points of orders, by movement")
_waits = _seconds(f"{NAME}.wait.duration", description="Waits before a call to Khalti, by what is waited for")


class Span:
    """Work in this block, as a span, as a measurement and as fields of the log records that are written in it.

    ``part_of`` is the span that this one is a part of where that is not the current one: another thread has begun it,
    or a generator, whose block is not the caller's and so must not be ``current``.
    """

    __slots__ = (
        "_attached", "_began", "_is_current", "_part_of", "_span", "_token",
        "attributes", "error_type", "fields", "name", "outcome",
    )  # fmt: skip
    kind = SpanKind.INTERNAL
    fields: dict[str, Any]
    _span: trace.Span
    _token: Token["Span | None"]
    _attached: Token[context.Context] | None

    def __init__(self, name: str, *, part_of: "Span | None" = None, current: bool = True) -> None:
        self.name, self._part_of, self._is_current = name, part_of, current
        self.outcome = self.error_type = ""
        self.attributes: dict[str, Any] = {}

    def __enter__(self) -> Self:
        outer = self._part_of or _current.get()
        self.fields = {**outer.fields, "verb": self.name} if outer else {"verb": self.name}
        around = trace.set_span_in_context(self._part_of._span) if self._part_of else None
        self._span = _tracer.start_span(self.name, around, self.kind)
        if self._is_current:
            self._token = _current.set(self)
            is_traced = self._span is not INVALID_SPAN
            self._attached = context.attach(trace.set_span_in_context(self._span)) if is_traced else None
        self._began = perf_counter()
        return self

    def __exit__(self, _type: object, exc: BaseException | None, _trace: object) -> None:
        seconds = perf_counter() - self._began
        if self._is_current:
            _current.reset(self._token)
            if self._attached is not None:
                context.detach(self._attached)
        if exc is not None and not isinstance(exc, GeneratorExit):
            self.outcome, self.error_type = self.outcome_of(exc), type(exc).__name__
        self.measure(seconds)
        if self._span.is_recording():
            self._describe()
        self._span.end()

    def about(self, **fields: Any) -> None:
        """Add what is known now, by the names of ``FIELDS``."""
        self.fields.update(fields)
        if self._span.is_recording():
            self._span.set_attributes({FIELDS[name]: value for name, value in fields.items()})

    def outcome_of(self, exc: BaseException) -> str:
        """Return the outcome where ``exc`` is raised."""
        return REFUSED if isinstance(exc, LoyalinkError) else ERROR

    def measure(self, seconds: float) -> None:
        """Record how long it has taken, in seconds, and how it ended."""
        error = {"error.type": self.error_type} if self.error_type else {}
        _verbs.record(seconds, {VERB: self.name, OUTCOME: self.outcome or OK, **error})

    def _describe(self) -> None:
        """Write how it ended on the span: of an exception the type alone, since a message may be personal data."""
        self._span.set_attributes({OUTCOME: self.outcome or OK, **self.attributes})
        if self.error_type:
            self._span.set_attribute("error.type", self.error_type)
        if self.error_type and self.outcome != REFUSED:
            self._span.set_status(Status(StatusCode.ERROR))


class KhaltiCall(Span):
    """A call to Khalti; its outcome is Khalti's answer, or the type of the error."""

    __slots__ = ("_operation", "_server", "seconds")
    kind = SpanKind.CLIENT

    def __init__(self, operation: str, url: str) -> None:
        super().__init__(f"khalti {operation}")
        self._operation, self._server = operation, urlsplit(url)
        self.seconds: float | None = None
        """How long Khalti took; None where nothing was sent."""

    def answered(self, status_code: int, *, resent: bool) -> None:
        """Note a response; ``resent`` says that it is that of a second try, on a new connection."""
        self.attributes["http.response.status_code"] = status_code
        if resent:
            self.attributes["http.request.resend_count"] = 1

    def outcome_of(self, exc: BaseException) -> str:
        return type(exc).__name__

    def measure(self, seconds: float) -> None:
        answer = self.outcome or OK
        self.attributes["server.address"] = self._server.hostname or ""
        if self.seconds is not None:
            error = {"error.type": self.error_type} if self.error_type else {}
            _calls.record(self.seconds, {OPERATION: self._operation, ANSWER: answer, **self.attributes, **error})
        if self._operation == "lookup":
            _lookups.add(1, {ANSWER: answer})
        self.attributes |= {OPERATION: self._operation, "http.request.method": "POST"}


_current: ContextVar[Span | None] = ContextVar(NAME, default=None)


def verb(function: Callable[P, T]) -> Callable[P, T]:
    """Make each call of a function a span of its name; the outcome is the member of an enumeration that it returns.

    Not for a function with an argument that an error page must not show: the arguments are variables here, too.
    """
    name = function.__name__

    @wraps(function)
    def measured(*args: P.args, **kwargs: P.kwargs) -> T:
        with Span(name) as span:
            result = function(*args, **kwargs)
            if isinstance(result, StrEnum):
                span.outcome = result.value
            return result

    return measured


def about(**fields: Any) -> None:
    """Add to the current span, if there is one, what is known now, by the names of ``FIELDS``."""
    if (span := _current.get()) is not None:
        span.about(**fields)


def current_fields() -> dict[str, Any]:
    """Return the fields of log records that are written now: ``verb`` and ``FIELDS``, as far as they are known."""
    span = _current.get()
    return span.fields if span is not None else {}


def carried(work: Callable[[], T]) -> Callable[[], T]:
    """Return ``work`` so that it continues, wherever it runs later, what is being done now."""
    span, around = _current.get(), context.get_current()
    if span is None and not around:
        return work

    def run() -> T:
        before, attached = _current.set(span), context.attach(around)
        try:
            return work()
        finally:
            context.detach(attached)
            _current.reset(before)

    return run


def flush() -> None:
    """Let an SDK export what it has: a process ends now that other code does not know of."""
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        export: Callable[[], object] = getattr(provider, "force_flush", bool)
        export()


def count_payment(state: str, reason: str = "") -> None:
    """Count a payment that has entered a state, for a reason of its release. Call it after commit, as the others."""
    _payments.add(1, {STATE: state, REASON: reason} if reason else {STATE: state})


def count_refund(state: str) -> None:
    _refunds.add(1, {STATE: state})


def count_flag(reason: str) -> None:
    _flags.add(1, {REASON: reason})


def count_points(**movements: int) -> None:
    """Count the points of an order by movement: ``earned``, ``redeemed``, ``clawed_back``, ``restored``."""
    for movement, points in movements.items():
        if points:
            _points.add(points, {MOVEMENT: movement})


def waited(what: str, seconds: float) -> None:
    """Record a wait before a call to Khalti, in seconds: for a ``slot``, for the ``pace`` of jobs, after a ``429``."""
    _waits.record(seconds, {WAIT: what})


def observe_breakers(read: Callable[[], Iterable[tuple[str, int]]]) -> None:
    """Let metrics read the circuit breaker of each server: its host, and ``CLOSED``, ``HALF_OPEN`` or ``OPEN``."""

    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(state, {"server.address": urlsplit(server).hostname or ""}) for server, state in read()]

    _meter.create_observable_gauge(f"{NAME}.breaker", [observe], "1", "0 closed, 1 half-open, 2 open")
