"""The OpenAPI document: committed as it is served, and kept by every answer, whatever schemathesis sends."""

import importlib
import json
import sys
from collections import Counter
from contextlib import nullcontext, suppress
from typing import Any

import pytest
import schemathesis
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.api.calling import ROOT, App, basket
from tests.api.committed import DOCUMENT, SHOPS, has_every_host, made
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.mark.skipif(not has_every_host(), reason="this environment has no Salesman")
def test_the_committed_document_is_the_one_that_is_served(shop: FakeShop, settings: Any) -> None:
    """If it is not: ``.venv/bin/python -m tests.api.committed`` writes it anew."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SHOPS": SHOPS, "API": {}}

    served = App().get("/openapi.json").json()

    assert served == json.loads(DOCUMENT.read_text())
    assert served["openapi"].startswith("3.1")
    assert served["servers"] == [{"url": ROOT}]
    assert made() == served


@pytest.fixture
def schema(shop: FakeShop, khalti: Khalti, settings: Any) -> Any:
    """The API of a shop with all hosts, in this process; a Khalti that opens every payment."""
    hosts = {name: path for name, path in SHOPS.items() if name != "salesman" or has_every_host()}
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI,
        "SHOPS": {**settings.LOYALINK_KHALTI["SHOPS"], **hosts},
        "UNKNOWN_TOKENS_PER_MINUTE": 10**6,
        "LIVE_PAYMENTS_PER_MEMBER": 10**6,
        "ATTEMPTS_PER_HOUR_AND_NETWORK": 10**6,
        "API": {**settings.LOYALINK_KHALTI["API"], "REQUESTS_PER_MINUTE": 10**6, "LONGEST_WAIT": 0},
    }
    return schemathesis.openapi.from_wsgi(f"{ROOT}/openapi.json", WSGIHandler())


BOUNDED = settings(
    max_examples=12, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def exercise(schema: Any, sita: App, bound: settings) -> "Counter[tuple[str, int]]":
    """Send each operation requests of its documented form, and of other ones, and check every answer.

    Every second one is a member's, about her own payment and with the right amount. Returns how often each operation
    has answered with each status.
    """
    payment, answers = sita.begin().json()["payment"], Counter[tuple[str, int]]()
    for found in schema.get_all_operations():
        for mode in GenerationMode:

            @bound
            @given(case=found.ok().as_strategy(generation_mode=mode), by_member=st.booleans())
            def check(case: Case, by_member: bool) -> None:
                headers = sita.headers if by_member else {}
                if headers and case.meta.generation.mode is GenerationMode.POSITIVE:
                    make_sensible(case, sita, payment["id"])
                answers[case.operation.label, case.call_and_validate(checks=CHECKS, headers=headers).status_code] += 1

            with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():  # it has no parameters
                check()

    return answers


def make_sensible(case: Case, sita: App, payment_id: str) -> None:
    """Let a documented request be about what there is."""
    if case.operation.label == "GET /receipts/{shop}/{reference}":
        case.path_parameters = {"shop": "fake", "reference": Payment.objects.get(token=payment_id).purchase.ref}
    elif case.path_parameters:
        case.path_parameters = {"payment_id": payment_id}
    if case.operation.label in {"POST /quote", "POST /purchases"}:
        case.body = {"shop": "fake", "basket": basket(), "method": case.body.get("method")}
    if case.operation.label == "POST /points/terms":
        case.body = {"version": sita.get("/program").json()["version"]}
    if case.operation.label == "POST /purchases":
        case.body["expected_due"] = sita.post("/quote", case.body).json().get("amount_due", 0)


@pytest.mark.timeout(180)
def test_no_request_gets_a_server_error_or_an_undocumented_answer(schema: Any, sita: App) -> None:
    """Q7"""
    answers = exercise(schema, sita, BOUNDED)

    succeeded = {label for label, status in answers if status < 300}
    assert len(succeeded) >= 10, sorted(answers.items())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nor_do_many_more_requests(schema: Any, sita: App) -> None:
    exercise(schema, sita, settings(BOUNDED, max_examples=400, derandomize=False))


def test_the_urls_without_django_ninja_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wagtail 7.4 does not bring it; without the include, a shop needs none."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "ninja"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ninja", None)
    for name in ("urls", "operations", "schemas"):
        monkeypatch.delitem(sys.modules, f"loyalink_khalti.api.{name}", raising=False)

    with pytest.raises(ImproperlyConfigured, match=r'pip install "loyalink-khalti\[api\]"'):
        importlib.import_module("loyalink_khalti.api.urls")
