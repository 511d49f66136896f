"""The health page: what a monitor reads, and who may."""

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from loyalink_khalti import flow
from loyalink_khalti.clock import database_now
from loyalink_khalti.flow.operations.monitor import KEPT_FOR, Item, Level, Recent, Report
from loyalink_khalti.khalti import circuit_breaker
from loyalink_khalti.payments import job_runs
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)

URL, TOKEN = "/khalti/health/", "a-token-of-a-monitor-for-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(autouse=True)
def _no_earlier_report(shop: FakeShop, settings: Any) -> Iterator[None]:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "HEALTH_TOKEN": TOKEN}
    flow.recent_report.forget()
    yield
    flow.recent_report.forget()


def read(client: Client, **headers: str) -> Any:
    flow.recent_report.forget()
    return client.get(URL, headers={**BEARER, **headers})


def test_a_shop_whose_jobs_run_is_ok(client: Client) -> None:
    list(flow.reconcile())

    answer = read(client)

    assert (answer.status_code, answer.json()["level"]) == (200, "ok")
    assert {item["level"] for item in answer.json()["items"].values()} == {"ok"}
    assert answer["Cache-Control"].startswith("max-age=0")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer "}, {"Authorization": "Bearer wrong-token-wrong-token"},
     {"Authorization": f"Basic {TOKEN}"}, {"Authorization": TOKEN}],
)  # fmt: skip
def test_without_the_token_the_page_does_not_exist(client: Client, headers: dict[str, str]) -> None:
    """N39"""
    unknown, health = client.get("/khalti/no-such-page/"), client.get(URL, headers=headers)

    pages = [re.sub(r'csrfmiddlewaretoken" value="\w+"', "", page.content.decode()) for page in (unknown, health)]
    assert health.status_code == 404
    assert pages[0].replace("no-such-page", "health") == pages[1]


@pytest.mark.parametrize("token", ["", "short"])
def test_a_token_that_is_empty_or_short_opens_nothing(client: Client, settings: Any, token: str) -> None:
    """N39"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "HEALTH_TOKEN": token}

    assert client.get(URL, headers={"Authorization": f"Bearer {token}"}).status_code == 404


def test_one_network_may_ask_without_the_right_thirty_times_a_minute(client: Client) -> None:
    """N39"""
    answers = [client.get(URL, headers={"Authorization": "Bearer guess"}).status_code for _ in range(31)]

    assert answers == [404] * 30 + [429]
    assert read(client).status_code == 200


@pytest.mark.parametrize(("permissions", "status"), [([], 404), (["view_payment"], 200)])
def test_staff_who_may_see_payments_see_it(client: Client, permissions: list[str], status: int) -> None:
    user = get_user_model().objects.create_user("maya", "maya@shop.example", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=permissions, content_type__app_label="loyalink_khalti")
    )
    client.force_login(user)

    assert client.get(URL).status_code == status


def test_what_waits_for_staff_is_a_warning_and_wakes_nobody(client: Client, shop: FakeShop, khalti: Khalti) -> None:
    """N40"""
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx, total_amount=1000)
    flow.verify_payment(payment)
    list(flow.reconcile())

    answer = read(client)

    items = answer.json()["items"]
    assert (answer.status_code, answer.json()["level"]) == (200, "warning")
    assert (items["flags"]["level"], items["flags"]["open"]) == ("warning", 1)
    assert items["flags"]["oldest_at"]
    assert items["money_without_order"]["payments"] == 1


def test_payments_that_wait_for_a_reconciler_that_has_stopped_are_critical(
    client: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """N40"""
    flow.begin_payment(shop.freeze(shop.cart()))
    before = database_now() - timedelta(hours=2)
    Payment.objects.update(created_at=before, next_poll_at=before)
    job_runs.record_run(job_runs.RECONCILE)
    job_runs.LastRun.objects.update(at=before)

    answer = read(client)

    items = answer.json()["items"]
    assert (answer.status_code, answer.json()["level"]) == (503, "critical")
    assert items["reconciler"]["level"] == "critical"
    assert items["waiting_payments"]["waiting"] == 1


def test_answers_that_cannot_be_read_are_critical(client: Client, shop: FakeShop, khalti: Khalti) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.next_lookup.append((200, {}, '{"outcome": "fine"}'))
    flow.verify_payment(payment)

    assert Flag.objects.get().reason == "answer_unreadable"
    assert read(client).json()["items"]["khalti"]["level"] == "critical"


def test_an_open_breaker_of_this_process_is_a_warning(client: Client, shop: FakeShop) -> None:
    circuit_breaker.breaker_for("https://dev.khalti.com/api/v2/").open(60)

    assert read(client).json()["items"]["breaker"] == {
        "level": "warning",
        "text": "This process does not call Khalti at the moment.",
        "https://dev.khalti.com": "open",
    }


def test_a_database_that_does_not_answer_is_critical_and_the_page_is_served(client: Client) -> None:
    """N40"""

    def fail(*_statement: Any) -> Any:
        raise OperationalError("password of user shop")

    with connection.execute_wrapper(fail):
        answer = read(client)

    assert (answer.status_code, answer.json()["at"]) == (503, None)
    assert answer.json()["items"]["database"]["level"] == "critical"
    assert "password" not in answer.content.decode()


def test_a_report_costs_fifteen_statements_whatever_the_history_and_is_kept_for_seconds(
    client: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """N41"""
    for number in range(3):
        khalti.pay(flow.begin_payment(shop.freeze(shop.cart(f"order-{number}"))).pidx, total_amount=1000)
    list(flow.reconcile())
    with CaptureQueriesContext(connection) as first:
        read(client)
    with CaptureQueriesContext(connection) as second:
        client.get(URL, headers=BEARER)

    assert len(first) <= 15, [query["sql"] for query in first]
    assert len(second) == 0


def test_a_report_is_made_again_after_some_seconds() -> None:
    now, made = [0.0], []

    def make() -> Report:
        made.append(now[0])
        return Report(at=None, items={"database": Item(level=Level.OK)})

    recent = Recent(make, clock=lambda: now[0])
    for now[0] in (0.0, KEPT_FOR - 0.1, KEPT_FOR, KEPT_FOR + 1):
        recent()

    assert made == [0.0, KEPT_FOR]


@pytest.mark.parametrize(
    ("path", "accept"),
    [(f"{URL}?format=prometheus", "*/*"),
     (URL, "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3,*/*;q=0.1")],
)  # fmt: skip
def test_prometheus_gets_levels_numbers_and_times_as_text(client: Client, path: str, accept: str) -> None:
    list(flow.reconcile())
    flow.recent_report.forget()

    answer = client.get(path, headers={**BEARER, "Accept": accept})

    text = answer.content.decode()
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, "text/plain")
    assert 'loyalink_khalti_health{item="reconciler"} 0.0\n' in text
    assert "loyalink_khalti_flags_open 0.0\n" in text
    assert "loyalink_khalti_reconciler_last_run_timestamp_seconds 1." in text


def test_without_the_extra_the_answer_for_prometheus_says_what_to_install(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    answer = client.get(f"{URL}?format=prometheus", headers=BEARER)

    assert answer.status_code == 501
    assert b"pip install 'loyalink-khalti[prometheus]'" in answer.content
