"""What a monitoring system receives of purchases by OpenTelemetry's SDK, which the site brings and configures."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, StatusCode

from loyalink_khalti import flow, telemetry
from loyalink_khalti.after_response import after_response
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.khalti import circuit_breaker
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Customer
from loyalink_khalti.testing import FakeShop
from tests.purchases import KEY, Khalti, fake_shop, khalti, member, no_call_in_a_transaction, shop

__all__ = ["fake_shop", "khalti", "member", "no_call_in_a_transaction", "shop"]

pytestmark = pytest.mark.django_db(transaction=True)

PRIVATE = Customer(name="Canary Sharma", email="canary@customer.example", phone="9811122233")


class Switch(Sampler):
    """Samples every span while it is on."""

    on = True

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_AND_SAMPLE if self.on else Decision.DROP)

    def get_description(self) -> str:
        return "switch"


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    """An SDK as a site sets it up, once in a process as OpenTelemetry has it; after this module it samples nothing."""
    spans, switch = InMemorySpanExporter(), Switch()
    provider = TracerProvider(sampler=switch)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider(metric_readers=[READER]))
    yield spans
    switch.on = False
    spans.clear()


READER = InMemoryMetricReader()


class Received:
    """What was exported since the test began."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter
        self._before = self._totals()

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def parent_of(self, name: str) -> str:
        parent = self.span(name).parent
        return next((span.name for span in self.spans if parent and span.context.span_id == parent.span_id), "")

    def counted(self, metric: str) -> dict[tuple[Any, ...], float]:
        """How much a counter, or the count of a histogram, has grown, by the values of its attributes."""
        now = self._totals()
        grown = {key: now[key] - self._before.get(key, 0) for key in now}
        return {values: number for (name, values), number in grown.items() if name == metric and number}

    def bounds_of(self, metric: str) -> list[float]:
        """The buckets of a histogram."""
        data: Any = READER.get_metrics_data()
        metrics = [each for scope in data.resource_metrics[0].scope_metrics for each in scope.metrics]
        (found,) = [each for each in metrics if each.name == metric]
        return list(found.data.data_points[0].explicit_bounds)

    def counted_values(self) -> list[Any]:
        """Every value of an attribute of a metric."""
        return [value for _name, values in self._totals() for value in values]

    def _totals(self) -> dict[tuple[str, tuple[Any, ...]], float]:
        data = READER.get_metrics_data()
        return {
            (metric.name, tuple(value for _name, value in sorted((point.attributes or {}).items()))): (
                point.count if hasattr(point, "count") else point.value
            )
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        }


@pytest.fixture
def received(exporter: InMemorySpanExporter) -> Received:
    exporter.clear()
    return Received(exporter)


def test_a_purchase_is_two_spans_with_the_calls_to_khalti_inside(
    shop: FakeShop, khalti: Khalti, member: str, received: Received
) -> None:
    """N36"""
    payment = flow.begin_payment(shop.freeze(shop.cart(member_id=member, points_redeemed=Points(500))))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)

    about = {
        "loyalink_khalti.payment.id": payment.pk,
        "loyalink_khalti.purchase.key": payment.purchase.key,
        "loyalink_khalti.site.key": "default",
        "loyalink_khalti.attempt": 1,
    }
    assert received.span("begin_payment").attributes == {**about, "loyalink_khalti.outcome": "ok"}
    assert received.span("verify_payment").attributes == {**about, "loyalink_khalti.outcome": "paid"}
    assert received.parent_of("khalti initiate") == "begin_payment"
    assert received.parent_of("khalti lookup") == "verify_payment"
    lookup = received.span("khalti lookup")
    assert lookup.kind is SpanKind.CLIENT
    assert lookup.attributes == {
        "loyalink_khalti.operation": "lookup",
        "loyalink_khalti.outcome": "Completed",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "server.address": "dev.khalti.com",
    }


def test_metrics_count_payments_lookups_points_and_refunds(
    shop: FakeShop, khalti: Khalti, member: str, received: Received
) -> None:
    """N36"""
    payment = flow.begin_payment(shop.freeze(shop.cart(member_id=member, points_redeemed=Points(500))))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    flow.verify_payment(payment)
    purchase = payment.purchase
    purchase.refresh_from_db()
    flow.refund_order(purchase, subtotal=Paisa(250_000), shipping=Paisa(0), key="1", actor="1")

    assert received.counted("loyalink_khalti.payments") == {
        ("initiated",): 1, ("fulfilled",): 1, ("refunded",): 1,
    }  # fmt: skip
    assert received.counted("loyalink_khalti.lookups") == {("Completed",): 2}
    assert received.counted("loyalink_khalti.refunds") == {("done",): 1}
    moved = received.counted("loyalink_khalti.points")
    assert moved == {("redeemed",): 500, ("earned",): purchase.earned, ("restored",): 500,
                     ("clawed_back",): purchase.earned}  # fmt: skip
    assert received.span("refund_order").attributes["loyalink_khalti.outcome"] == "done"  # type: ignore[index]
    assert received.parent_of("khalti refund") == "refund_order"


def test_an_error_of_khalti_is_an_error_of_the_call_and_a_refusal_of_the_verb(
    shop: FakeShop, khalti: Khalti, received: Received
) -> None:
    khalti.next_initiate.append((503, {}, "<html>Canary Sharma</html>"))
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart()))

    call, begin = received.span("khalti initiate"), received.span("begin_payment")
    assert call.attributes is not None
    assert begin.attributes is not None
    assert (call.attributes["http.response.status_code"], call.attributes["error.type"]) == (503, "KhaltiUnreachable")
    assert call.status.status_code is StatusCode.ERROR
    assert (begin.attributes["loyalink_khalti.outcome"], begin.attributes["error.type"]) == ("refused", "CannotPay")
    assert begin.status.status_code is StatusCode.UNSET
    assert received.counted("loyalink_khalti.payments") == {("refused", "released"): 1}


def test_durations_are_in_buckets_of_seconds(shop: FakeShop, khalti: Khalti, received: Received) -> None:
    flow.begin_payment(shop.freeze(shop.cart()))

    bounds = received.bounds_of("loyalink_khalti.khalti.duration")
    assert bounds == list(telemetry.SECONDS)
    assert list(received.counted("loyalink_khalti.khalti.duration").values()) == [1]


def test_the_breaker_and_what_it_keeps_from_being_sent_are_seen(
    shop: FakeShop, khalti: Khalti, received: Received
) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    circuit_breaker.breaker_for("https://dev.khalti.com/api/v2/").open(60)
    flow.verify_payment(payment)

    assert received.counted("loyalink_khalti.lookups") == {("KhaltiNotCalled",): 1}
    assert khalti.looked_up == []
    assert received._totals()["loyalink_khalti.breaker", ("dev.khalti.com",)] == telemetry.OPEN


def test_each_payment_of_a_pass_is_part_of_it_in_whatever_thread(
    shop: FakeShop, khalti: Khalti, received: Received
) -> None:
    """N37"""
    payments = [flow.begin_payment(shop.freeze(shop.cart(f"order-{number}"))) for number in range(3)]
    khalti.pay(payments[0].pidx)

    list(flow.reconcile(workers=3))

    passes = received.span("reconcile")
    looked_up = [span for span in received.spans if span.name == "reconcile_payment"]
    assert {span.parent.span_id for span in looked_up if span.parent} == {passes.context.span_id}
    assert sorted(str((span.attributes or {})["loyalink_khalti.outcome"]) for span in looked_up) == [
        "confirming", "confirming", "paid",
    ]  # fmt: skip
    assert {(span.attributes or {})["loyalink_khalti.payment.id"] for span in looked_up} == {
        payment.pk for payment in payments
    }


def test_flags_are_counted_by_reason_once_they_are_committed(
    shop: FakeShop, khalti: Khalti, received: Received
) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx, total_amount=1000)

    flow.verify_payment(payment)

    assert received.counted("loyalink_khalti.flags") == {("amount_mismatch",): 1}


def test_work_after_the_response_continues_the_trace_of_its_request(received: Received) -> None:
    """N37"""
    seen: list[Any] = []
    request_started.send(sender=None)
    with telemetry.Span("begin_payment") as span:
        span.about(payment_id=7)
        after_response(lambda: seen.append((trace.get_current_span().get_span_context(), telemetry.current_fields())))
    request_finished.send(sender=None)

    (around, fields) = seen[0]
    assert around == received.span("begin_payment").context
    assert fields == {"verb": "begin_payment", "payment_id": 7}
    assert not trace.get_current_span().get_span_context().is_valid
    assert telemetry.current_fields() == {}


def test_nothing_that_is_exported_names_a_customer_a_key_or_an_amount(
    shop: FakeShop, khalti: Khalti, received: Received
) -> None:
    """N36"""
    payment = flow.begin_payment(shop.freeze(shop.cart(customer=PRIVATE)))
    khalti.next_lookup.append((400, {}, '{"mobile": ["9811122233 of Canary Sharma"]}'))
    flow.verify_payment(payment)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)

    exported = " ".join([*(span.to_json() for span in received.spans), *map(str, received.counted_values())])
    for private in (PRIVATE.name, PRIVATE.email, PRIVATE.phone, KEY, "Canary"):
        assert private not in exported
    amounts = [value for span in received.spans for value in (span.attributes or {}).values()]
    assert payment.amount not in amounts + received.counted_values()
