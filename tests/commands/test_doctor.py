"""``loyalink_doctor``: what is wrong with a deployment, and what to do."""

import json
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import requests
import responses
from django.core import mail
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.payments import job_runs
from loyalink_khalti.testing import FakeShop
from tests.purchases import KEY, SERVER, fake_shop, shop

__all__ = ["fake_shop", "shop"]

pytestmark = pytest.mark.django_db(transaction=True)

LOOKUP = f"{SERVER}epayment/lookup/"
NO_KEY = {"detail": "Authentication credentials were not provided.", "status_code": 401}
INVALID = {"detail": "Invalid token.", "status_code": 401}
NOT_FOUND = {"detail": "Not found.", "error_key": "validation_error"}


@pytest.fixture
def khalti() -> Any:
    """Khalti's test server; ``answer`` is what it says to the key, ``date`` its clock."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.answer = (404, NOT_FOUND)  # type: ignore[attr-defined]
        mock.date = ""  # type: ignore[attr-defined]

        def lookup(request: Any) -> tuple[int, dict[str, str], str]:
            has_key = request.headers.get("Authorization") == f"Key {KEY}"
            status, body = mock.answer if has_key else (401, NO_KEY)  # type: ignore[attr-defined]
            return status, {"Date": mock.date} if mock.date else {}, json.dumps(body)  # type: ignore[attr-defined]

        mock.add_callback(responses.POST, LOOKUP, lookup)
        yield mock


@pytest.fixture
def doctor(shop: FakeShop) -> Callable[..., dict[str, list[tuple[str, str]]]]:
    """Run the command; the result is {topic: [(severity, sentence and hint)]}, and ``exit`` its exit code."""

    def run(**options: Any) -> dict[str, list[tuple[str, str]]]:
        out, code = StringIO(), 0
        try:
            call_command("loyalink_doctor", json=True, stdout=out, **options)
        except SystemExit as exc:
            code = int(exc.code or 0)
        found: dict[str, list[tuple[str, str]]] = {"exit": [("", str(code))]}
        for each in json.loads(out.getvalue()):
            found.setdefault(each["topic"], []).append((each["severity"], f"{each['text']} {each['hint']}".strip()))
        assert KEY not in out.getvalue()
        return found

    return run


def severities(found: dict[str, list[tuple[str, str]]], topic: str) -> list[str]:
    return [severity for severity, _text in found[topic]]


def test_a_key_that_khalti_accepts_and_jobs_that_run_are_ok(doctor: Any, khalti: Any) -> None:
    """N44"""
    list(flow.reconcile())
    flow.run_points()
    flow.run_audit()

    found = doctor()

    assert severities(found, "khalti") == ["ok"]
    assert severities(found, "keys") == ["ok"]
    assert severities(found, "migrations") == ["ok"]
    assert severities(found, "schedule") == ["ok", "ok", "ok"]
    assert severities(found, "waiting") == ["ok"]
    assert "https://shop.example/khalti/return/…/" in found["addresses"][0][1]
    assert len(khalti.calls) == 2


def test_a_key_that_khalti_rejects_is_a_problem_and_the_exit_code_is_1(doctor: Any, khalti: Any) -> None:
    khalti.answer = (401, INVALID)

    found = doctor()

    assert severities(found, "keys") == ["problem"]
    assert found["exit"] == [("", "1")]


@pytest.mark.parametrize(
    ("cause", "hint"),
    [(ssl.SSLCertVerificationError(), "CA certificates"), (ConnectionRefusedError(), "firewall"),
     (socket.gaierror(), "DNS"), (OSError(), "this machine's connection")],
)  # fmt: skip
def test_a_server_that_cannot_be_reached_is_a_problem_and_no_key_is_sent(
    doctor: Any, shop: FakeShop, cause: Exception, hint: str
) -> None:
    """N44"""
    error = requests.ConnectionError()
    error.__cause__ = cause
    with responses.RequestsMock() as mock:
        mock.post(LOOKUP, body=error)
        found = doctor()

    assert severities(found, "khalti") == ["problem"]
    assert hint in found["khalti"][0][1]
    assert "keys" not in found


def test_another_server_than_khaltis_is_a_warning(doctor: Any, shop: FakeShop) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(LOOKUP, status=200, body="<html>Log in to the hotel's Wi-Fi</html>")
        found = doctor()

    assert severities(found, "khalti") == ["warning"]
    assert "KHALTI_BASE_URL" in found["khalti"][0][1]


@pytest.mark.parametrize(("minutes", "severity"), [(0, "ok"), (5, "warning"), (-5, "warning")])
def test_clocks_that_differ_are_a_warning(doctor: Any, khalti: Any, minutes: int, severity: str) -> None:
    """N44"""
    at = timezone.now() + timedelta(minutes=minutes)
    khalti.date = at.strftime("%a, %d %b %Y %H:%M:%S GMT")

    assert severities(doctor(), "clock") == ["ok", severity]


def test_payments_that_wait_for_a_reconciler_that_does_not_run_are_a_problem(
    doctor: Any, khalti: Any, shop: FakeShop
) -> None:
    before = timezone.now() - timedelta(hours=3)
    job_runs.record_run(job_runs.RECONCILE)
    job_runs.LastRun.objects.update(at=before)
    first = doctor()["schedule"][0][0]
    with responses.RequestsMock() as mock:
        mock.post(
            f"{SERVER}epayment/initiate/",
            json={
                "pidx": "p" * 22,
                "payment_url": f"https://test-pay.khalti.com/?pidx={'p' * 22}",
                "expires_in": 1800,
            },
        )
        payment = flow.begin_payment(shop.freeze(shop.cart()))  # fmt: skip
    type(payment).objects.update(created_at=before, next_poll_at=before)

    found = doctor()["schedule"]

    assert first == "warning"
    assert found[0][0] == "problem"
    assert "khalti_reconcile --loop" in found[0][1]


def test_missing_keys_settings_and_staff_are_named(doctor: Any, khalti: Any, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": "", "CACHE": "default"}

    found = doctor()

    assert severities(found, "keys") == ["problem"]
    assert "There is no secret key" in found["keys"][0][1]
    assert any("W003" in text for _severity, text in found["settings"])
    assert severities(found, "cache") == ["warning"]
    assert severities(found, "staff") == ["problem"]


def test_a_database_that_does_not_answer_is_the_only_finding(doctor: Any, khalti: Any) -> None:
    def fail(*_statement: Any) -> Any:
        raise OperationalError("password of user shop")

    with connection.execute_wrapper(fail):
        found = doctor()

    assert set(found) == {"exit", "database"}
    assert severities(found, "database") == ["problem"]
    assert "password" not in str(found)


def test_a_test_mail_is_sent_only_where_it_is_asked_for(doctor: Any, khalti: Any) -> None:
    doctor()
    before = len(mail.outbox)
    found = doctor(mail="maya@shop.example")

    assert before == 0
    assert [message.to for message in mail.outbox] == [["maya@shop.example"]]
    assert found["mail"][-1][0] == "ok"


def test_lines_say_the_severity_first_and_what_to_do(khalti: Any, shop: FakeShop, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}
    out = StringIO()

    with pytest.raises(SystemExit):
        call_command("loyalink_doctor", stdout=out, no_color=True)

    assert "ok       migrations: " in out.getvalue()
    assert "problem  keys: Site 'default': There is no secret key.\n         → Enter it" in out.getvalue()
