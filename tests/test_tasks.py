"""The reconciler as a task, and triggered by ordinary traffic."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone
from django_tasks import task_backends

from loyalink_khalti import flow, outbox, tasks
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments import job_runs
from loyalink_khalti.payments.job_runs import LastRun
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.storefront import middleware
from loyalink_khalti.testing import FakeShop
from tests.asgi import serve
from tests.flow.urls import urlpatterns as return_urls
from tests.purchases import (
    Khalti,
    account,
    at_once,
    fake_shop,
    khalti,
    member,
    no_call_in_a_transaction,
    shop,
    states_of,
)
from tests.workers import TASKS, Queue

__all__ = ["account", "fake_shop", "khalti", "member", "no_call_in_a_transaction", "shop"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LATER = timedelta(minutes=10)
"""By then every payment is due."""
happened: list[str] = []
sent: list[str] = []


class Page(HttpResponse):
    """Records when it is sent: a server closes a response after its last byte."""

    def close(self) -> None:
        happened.append("response sent")
        super().close()


def page(_request: HttpRequest) -> HttpResponse:
    happened.append("page")
    return Page("<html><body>Paper and pens</body></html>")


urlpatterns = [path("", page), *return_urls]


def send(word: str) -> None:
    sent.append(word)


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "traffic_reconciler", middleware.TrafficReconciler())
    happened.clear()
    sent.clear()
    Queue.pending.clear()


@pytest.fixture
def worker(settings: Any) -> type[Queue]:
    settings.TASKS = TASKS
    return Queue


def begin(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(ref, **changes)))


@pytest.fixture
def paid(shop: FakeShop, khalti: Khalti) -> Iterator[list[Payment]]:
    """Three payments whose customers paid and closed the page ten minutes ago; due one after the other."""
    payments = [begin(shop, f"order-{number}") for number in range(3)]
    for number, payment in enumerate(payments):
        khalti.pay(payment.pidx)
        due_at = timezone.now() + timedelta(seconds=number)  # not at a random time
        Payment.objects.filter(pk=payment.pk).update(next_poll_at=due_at)
    with time_machine.travel(timezone.now() + LATER, tick=True):
        yield payments


# The task


def test_the_task_looks_up_due_payments_and_returns_a_summary(
    worker: type[Queue], paid: list[Payment], shop: FakeShop
) -> None:
    """G06"""
    tasks.reconcile.enqueue()
    before = list(shop.confirmed)

    done = worker.work()

    assert (before, done) == ([], ["3 paid"])
    assert len(shop.confirmed) == 3


def test_the_task_respects_back_off_and_says_when_nothing_was_due(
    worker: type[Queue], shop: FakeShop, khalti: Khalti
) -> None:
    begin(shop)
    tasks.reconcile.enqueue()

    assert (worker.work(), khalti.looked_up) == (["nothing to look up"], [])


def test_after_a_task_the_reconciler_counts_as_running(worker: type[Queue]) -> None:
    """G06"""
    before = flow.health().is_reconciler_running
    tasks.reconcile.enqueue()
    worker.work()

    assert (before, flow.health().is_reconciler_running) == (False, True)


def test_any_number_of_tasks_settles_each_payment_once(
    worker: type[Queue], paid: list[Payment], khalti: Khalti, shop: FakeShop
) -> None:
    """G01"""
    for _minute in range(3):
        tasks.reconcile.enqueue()

    worker.work()

    assert sorted(khalti.looked_up) == ["pidx1", "pidx2", "pidx3"]
    assert len(shop.confirmed) == 3


BACKENDS = {
    "django_tasks.backends.immediate.ImmediateBackend": False,
    "django_tasks.backends.dummy.DummyBackend": False,
    "tests.workers.QuickBackend": False,
    "tests.workers.ImmediateBackend": False,
    "tests.workers.Queue": True,
}


@pytest.mark.parametrize(("backend", "has_worker"), BACKENDS.items())
def test_a_backend_that_runs_tasks_in_the_request_has_no_worker(settings: Any, backend: str, has_worker: bool) -> None:
    settings.TASKS = {"default": {"BACKEND": backend}}

    assert tasks.has_worker() is has_worker


def test_without_a_setting_there_is_no_worker() -> None:
    assert not tasks.has_worker()


def test_without_a_worker_the_task_fails_and_names_the_command(
    settings: Any, paid: list[Payment], khalti: Khalti
) -> None:
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}

    result = tasks.reconcile.enqueue()

    assert [error.exception_class for error in result.errors] == [ImproperlyConfigured]
    assert "run the command khalti_reconcile instead" in result.errors[0].traceback
    assert khalti.looked_up == []


def test_the_backend_that_runs_the_task_counts(
    settings: Any, paid: list[Payment], khalti: Khalti, shop: FakeShop
) -> None:
    """A shop may keep its default backend for mails, and use another for this."""
    settings.TASKS = {
        "default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"},
        "slow": TASKS["default"],
    }
    tasks.reconcile.using(backend="slow").enqueue()

    assert Queue.work() == ["3 paid"]
    assert task_backends["slow"].alias == "slow"


# Triggered by traffic


def test_traffic_looks_up_the_most_overdue_payment(paid: list[Payment], khalti: Khalti, shop: FakeShop) -> None:
    """G06"""
    middleware.traffic_reconciler()

    assert (khalti.looked_up, shop.confirmed) == (["pidx1"], [("order-0", 250_000)])


def test_with_a_worker_traffic_only_enqueues_the_task(
    worker: type[Queue], paid: list[Payment], khalti: Khalti, shop: FakeShop
) -> None:
    middleware.traffic_reconciler()
    in_the_request = list(khalti.looked_up)

    assert (in_the_request, worker.work()) == ([], ["3 paid"])


def test_traffic_triggers_one_run_a_minute_in_one_process(paid: list[Payment], khalti: Khalti) -> None:
    for _page in range(3):
        middleware.traffic_reconciler()

    assert not middleware.traffic_reconciler.is_due()
    assert len(khalti.looked_up) == 1


def test_traffic_triggers_one_run_a_minute_over_all_processes(paid: list[Payment], khalti: Khalti) -> None:
    processes = [middleware.TrafficReconciler() for _process in range(8)]

    outcomes = at_once(8, lambda index: processes[index]())

    assert (outcomes, len(khalti.looked_up)) == ([None] * 8, 1)


def test_a_minute_later_the_next_payment_is_looked_up(paid: list[Payment], khalti: Khalti) -> None:
    """G06: whichever process it is."""
    now = timezone.now()
    for minute in range(3):
        with time_machine.travel(now + minute * middleware.TRAFFIC_INTERVAL, tick=False):
            middleware.TrafficReconciler()()

    assert khalti.looked_up == ["pidx1", "pidx2", "pidx3"]


def test_traffic_sends_a_few_waiting_messages(shop: FakeShop) -> None:
    """G07"""
    for number in range(7):
        Message.objects.create(function=f"{__name__}.send", payload={"word": str(number)})

    middleware.traffic_reconciler()

    assert sent == ["0", "1", "2", "3", "4"]


def test_a_run_triggered_by_traffic_does_not_count_as_the_reconciler(shop: FakeShop) -> None:
    """G06: the back office still warns that no job is scheduled."""
    middleware.traffic_reconciler()

    assert not flow.health().is_reconciler_running
    assert LastRun.objects.filter(name=middleware.TRAFFIC).exists()


def test_without_an_answer_of_khalti_nothing_changes(paid: list[Payment], khalti: Khalti) -> None:
    """C01"""
    khalti.next_lookup = [requests.ConnectionError("refused")]

    middleware.traffic_reconciler()

    assert (len(khalti.looked_up), states_of(paid[0])) == (1, ("initiated", "open"))


# Page views


@pytest.fixture
def browser(shop: FakeShop, settings: Any) -> Client:
    """A browser that has visited the shop before."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "loyalink_khalti.storefront.middleware.PendingPaymentMiddleware",
    ]
    client = Client(headers={"User-Agent": BROWSER})
    session = client.session
    session["visited"] = True
    session.save()
    return client


def test_a_page_view_looks_up_one_payment_after_the_response(
    browser: Client, paid: list[Payment], khalti: Khalti, shop: FakeShop
) -> None:
    """G06: a shop that schedules nothing recovers too, and no customer waits for it."""
    khalti.while_looking_up = lambda: happened.append("lookup")
    browser.get("/")
    browser.get("/")

    assert happened == ["page", "response sent", "lookup", "page", "response sent"]
    assert shop.confirmed == [("order-0", 250_000)]


def test_under_asgi_it_also_runs_after_the_response(browser: Client, paid: list[Payment], khalti: Khalti) -> None:
    """G06"""
    khalti.while_looking_up = lambda: happened.append("lookup")

    serve("/", user_agent=BROWSER, cookie=f"sessionid={browser.cookies['sessionid'].value}")

    assert happened == ["page", "response sent", "lookup"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Googlebot/2.1 (+http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)",
        "Mozilla/5.0 (compatible; Yahoo! Slurp)",
        "Baiduspider-render/2.0",
        "curl/8.5.0",
        "python-requests/2.32",
        "UptimeMonitor/1.0",
        "kube-probe/1.30",
        "ELB-HealthChecker/2.0",
        "WhatsApp link preview",
    ],
)
def test_bots_trigger_no_lookup(browser: Client, paid: list[Payment], khalti: Khalti, name: str) -> None:
    """A18"""
    browser.get("/", headers={"User-Agent": name})
    by_bot = list(khalti.looked_up)
    browser.get("/")

    assert (by_bot, len(khalti.looked_up)) == ([], 1)


def test_a_browser_without_a_cookie_triggers_no_lookup(browser: Client, paid: list[Payment], khalti: Khalti) -> None:
    browser.cookies.clear()

    browser.get("/")

    assert (khalti.looked_up, LastRun.objects.filter(name=middleware.TRAFFIC).exists()) == ([], False)


def test_with_a_worker_a_page_view_only_enqueues_the_task(
    browser: Client, worker: type[Queue], paid: list[Payment], khalti: Khalti
) -> None:
    browser.get("/")
    in_the_request = list(khalti.looked_up)

    assert (in_the_request, worker.work()) == ([], ["3 paid"])


def test_a_failure_after_the_response_does_not_reach_the_visitor(
    browser: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TASKS = {"default": {"BACKEND": "no.such.Backend"}}

    assert browser.get("/").status_code == 200
    assert "after a response: InvalidTaskBackendError" in caplog.text


def test_a_page_view_makes_no_query_within_a_minute_of_a_run(browser: Client, django_assert_num_queries: Any) -> None:
    browser.get("/")

    with django_assert_num_queries(1):  # the session
        browser.get("/")


def test_one_of_many_processes_claims_a_run(db: None) -> None:
    before = job_runs.claim_run("job", every=timedelta(minutes=1))
    outcomes = at_once(10, lambda _index: job_runs.claim_run("job", every=timedelta(minutes=1)))
    with time_machine.travel(timezone.now() + timedelta(minutes=1, seconds=1)):
        later = at_once(10, lambda _index: job_runs.claim_run("job", every=timedelta(minutes=1)))

    assert (before, outcomes, sorted(map(bool, later))) == (True, [False] * 10, [False] * 9 + [True])
    assert outbox.stuck() == 0
