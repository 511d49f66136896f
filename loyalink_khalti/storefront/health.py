"""The health of the shop for monitors: JSON, and text for Prometheus where that is asked for.

For a monitor with the ``HEALTH_TOKEN``, and for staff who may see payments. Anybody else gets the page of an unknown
address. HTTP 503 is for what should wake somebody at night (``flow.Level.CRITICAL``); the rest is 200.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View
from limits import RateLimitItemPerMinute

from loyalink_khalti import conf, flow
from loyalink_khalti.staff import permissions

REFUSED_PER_MINUTE = RateLimitItemPerMinute(30)
"""How often one network may ask without the right in a minute; then it has to wait."""
PREFIX = "loyalink_khalti"
WITHOUT_EXTRA = "This needs prometheus-client: pip install 'loyalink-khalti[prometheus]'\n"


@method_decorator(transaction.non_atomic_requests, name="dispatch")  # the database may be down
@method_decorator(never_cache, name="dispatch")
class HealthView(View):
    """Answer with a report that is a few seconds old at most: it costs the same however often it is asked for."""

    http_method_names = ("get", "head", "options")

    def get(self, request: HttpRequest) -> HttpResponse:
        if not _has_token(request) and not _is_staff(request):
            network = conf.client_network(request) or str(request.META.get("REMOTE_ADDR", ""))
            if wait := conf.seconds_to_wait(REFUSED_PER_MINUTE, "health", network):
                return HttpResponse(status=HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": str(wait)})
            raise Http404
        report = flow.recent_report()
        if _wants_prometheus(request):
            return _prometheus(report)
        status = HTTPStatus.SERVICE_UNAVAILABLE if report.level is flow.Level.CRITICAL else HTTPStatus.OK
        return JsonResponse(_as_json(report), status=status)


def _has_token(request: HttpRequest) -> bool:
    """Return whether the request has the token, after the same time whatever it has."""
    kind, _space, sent = request.headers.get("Authorization", "").partition(" ")
    token = conf.health_token()
    is_right = secrets.compare_digest(sent.strip().encode(), token.encode())
    return bool(token) and kind.lower() == "bearer" and is_right


def _is_staff(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return user is not None and bool(user.is_staff) and permissions.has_permission(user, permissions.VIEW_PAYMENTS)


def _wants_prometheus(request: HttpRequest) -> bool:
    asked, accepted = request.GET.get("format", ""), request.headers.get("Accept", "")
    return asked == "prometheus" or (not asked and ("openmetrics" in accepted or "version=0.0.4" in accepted))


def _as_json(report: flow.Report) -> dict[str, Any]:
    items = {
        name: {"level": item.level, **({"text": item.text} if item.text else {}), **item.figures}
        for name, item in report.items.items()
    }
    return {"level": report.level, "at": report.at, "items": items}


def _prometheus(report: flow.Report) -> HttpResponse:
    """Answer with 200 whatever the report says: Prometheus drops any other answer, and alerts by the values."""
    try:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    except ImportError:
        return HttpResponse(WITHOUT_EXTRA, status=HTTPStatus.NOT_IMPLEMENTED, content_type="text/plain")
    registry = CollectorRegistry()
    registry.register(Collector(lambda: report))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Collector:
    """A report as Prometheus's metrics: a level for each item, and a gauge for each figure that is a number or a time.

    For a registry of the shop's own, too: ``REGISTRY.register(Collector(flow.recent_report))``.
    """

    def __init__(self, report: Callable[[], flow.Report]) -> None:
        self._report = report

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        report, levels = self._report(), list(flow.Level)
        help_text = "0 ok, 1 warning, 2 critical"
        level = GaugeMetricFamily(f"{PREFIX}_health", help_text, labels=["item"])
        for name, item in report.items.items():
            level.add_metric([name], levels.index(item.level))
        yield level
        for name, value in sorted(_figures(report)):
            family = GaugeMetricFamily(f"{PREFIX}_{name}", name.replace("_", " "))
            family.add_metric([], value)
            yield family


def _figures(report: flow.Report) -> Iterator[tuple[str, float]]:
    for item_name, item in report.items.items():
        if item_name not in {"breaker", "migrations"}:
            yield from _flat(item_name, item.figures.items())


def _flat(prefix: str, figures: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, float]]:
    """Yield each figure with its name: of a time its Unix time, of a dict its own figures, of servers their number."""
    for name, value in figures:
        if name == "outages":
            yield f"{prefix}_outages", len(value)
        elif isinstance(value, dict):
            yield from _flat(f"{prefix}_{name}", value.items())
        elif isinstance(value, datetime):
            yield f"{prefix}_{name.removesuffix('_at')}_timestamp_seconds", value.timestamp()
        elif isinstance(value, int | float):
            yield f"{prefix}_{name}", value
