"""The reconciler as a task, and nudged by ordinary traffic."""

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
from loyalink_khalti.payments import watch
from loyalink_khalti.payments.models import LastRun, Payment
from loyalink_khalti.testing import FakeShop
from tests.asgi import served
from tests.flow.urls import urlpatterns as ways_back
from tests.purchases import (
    Khalti,
    account,
    at_once,
    fake_shop,
    khalti,
    member,
    no_call_in_a_transaction,
    shop,
    stands,
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
    """Notes when it has gone out: a server closes a response when its last byte is written."""

    def close(self) -> None:
        happened.append("the response is out")
        super().close()


def page(_request: HttpRequest) -> HttpResponse:
    happened.append("page")
    return Page("<html><body>Paper and pens</body></html>")


urlpatterns = [path("", page), *ways_back]


def send(word: str) -> None:
    sent.append(word)


@pytest.fixture(autouse=True)
def _a_process_that_has_just_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "nudge", tasks.Nudge())
    happened.clear()
    sent.clear()
    Queue.waiting.clear()


@pytest.fixture
def worker(settings: Any) -> type[Queue]:
    settings.TASKS = TASKS
    return Queue


def begin(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    return flow.begin(shop.freeze(shop.cart(ref, **changes)))


@pytest.fixture
def paid(shop: FakeShop, khalti: Khalti) -> Iterator[list[Payment]]:
    """Three payments whose shoppers have paid and closed the page, ten minutes ago; due one after the other."""
    payments = [begin(shop, f"order-{number}") for number in range(3)]
    for number, payment in enumerate(payments):
        khalti.pay(payment.pidx)
        due_at = timezone.now() + timedelta(seconds=number)  # not when chance has it
        Payment.objects.filter(pk=payment.pk).update(watch_after=due_at)
    with time_machine.travel(timezone.now() + LATER, tick=True):
        yield payments


# The task


def test_the_task_looks_at_what_is_due_and_says_what_came_of_it(
    worker: type[Queue], paid: list[Payment], shop: FakeShop
) -> None:
    """G06"""
    tasks.reconcile.enqueue()
    before = list(shop.confirmed)

    done = worker.work()

    assert (before, done) == ([], ["3 paid"])
    assert len(shop.confirmed) == 3


def test_the_task_honours_back_off_and_says_when_nothing_was_due(
    worker: type[Queue], shop: FakeShop, khalti: Khalti
) -> None:
    begin(shop)
    tasks.reconcile.enqueue()

    assert (worker.work(), khalti.asked) == (["nothing was waiting"], [])


def test_a_task_that_ran_shows_that_somebody_looks(worker: type[Queue]) -> None:
    """G06"""
    before = flow.health().is_scheduled
    tasks.reconcile.enqueue()
    worker.work()

    assert (before, flow.health().is_scheduled) == (False, True)


def test_any_number_of_workers_settle_each_once(
    worker: type[Queue], paid: list[Payment], khalti: Khalti, shop: FakeShop
) -> None:
    """G01"""
    for _minute in range(3):
        tasks.reconcile.enqueue()

    worker.work()

    assert sorted(khalti.asked) == ["pidx1", "pidx2", "pidx3"]
    assert len(shop.confirmed) == 3


BACKENDS = {
    "django_tasks.backends.immediate.ImmediateBackend": False,
    "django_tasks.backends.dummy.DummyBackend": False,
    "tests.workers.QuickBackend": False,
    "tests.workers.ImmediateBackend": False,
    "tests.workers.Queue": True,
}


@pytest.mark.parametrize(("backend", "has_worker"), BACKENDS.items())
def test_a_backend_that_runs_tasks_in_the_request_is_no_worker(settings: Any, backend: str, has_worker: bool) -> None:
    settings.TASKS = {"default": {"BACKEND": backend}}

    assert tasks.has_worker() is has_worker


def test_without_a_setting_there_is_no_worker() -> None:
    assert not tasks.has_worker()


def test_the_task_refuses_to_make_a_shopper_wait_and_names_the_command(
    settings: Any, paid: list[Payment], khalti: Khalti
) -> None:
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}

    result = tasks.reconcile.enqueue()

    assert [error.exception_class for error in result.errors] == [ImproperlyConfigured]
    assert "run the command khalti_reconcile instead" in result.errors[0].traceback
    assert khalti.asked == []


def test_the_backend_that_runs_the_task_is_the_one_that_counts(
    settings: Any, paid: list[Payment], khalti: Khalti, shop: FakeShop
) -> None:
    """A shop may keep its default for mails, and name another for this."""
    settings.TASKS = {
        "default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"},
        "slow": TASKS["default"],
    }
    tasks.reconcile.using(backend="slow").enqueue()

    assert Queue.work() == ["3 paid"]
    assert task_backends["slow"].alias == "slow"


# Nudging


def test_a_nudge_looks_at_one_payment_the_one_that_waits_for_longest(
    paid: list[Payment], khalti: Khalti, shop: FakeShop
) -> None:
    """G06"""
    tasks.nudge()

    assert (khalti.asked, shop.confirmed) == (["pidx1"], [("order-0", 250_000)])


def test_with_a_worker_a_nudge_only_hands_over(
    worker: type[Queue], paid: list[Payment], khalti: Khalti, shop: FakeShop
) -> None:
    tasks.nudge()
    in_the_request = list(khalti.asked)

    assert (in_the_request, worker.work()) == ([], ["3 paid"])


def test_a_process_nudges_once_a_minute(paid: list[Payment], khalti: Khalti) -> None:
    for _page in range(3):
        tasks.nudge()

    assert not tasks.nudge.is_due()
    assert len(khalti.asked) == 1


def test_all_processes_together_nudge_once_a_minute(paid: list[Payment], khalti: Khalti) -> None:
    processes = [tasks.Nudge() for _process in range(8)]

    outcomes = at_once(8, lambda index: processes[index]())

    assert (outcomes, len(khalti.asked)) == ([None] * 8, 1)


def test_a_minute_later_the_next_payment_has_its_turn(paid: list[Payment], khalti: Khalti) -> None:
    """G06: whichever process it is."""
    now = timezone.now()
    for minute in range(3):
        with time_machine.travel(now + minute * tasks.EVERY, tick=False):
            tasks.Nudge()()

    assert khalti.asked == ["pidx1", "pidx2", "pidx3"]


def test_a_nudge_sends_a_few_messages_that_were_not_sent(shop: FakeShop) -> None:
    """G07"""
    for number in range(7):
        Message.objects.create(function=f"{__name__}.send", payload={"word": str(number)})

    tasks.nudge()

    assert sent == ["0", "1", "2", "3", "4"]


def test_a_nudge_is_not_the_reconciler_and_does_not_claim_to_be(shop: FakeShop) -> None:
    """G06: the badge goes on saying that nothing is scheduled."""
    tasks.nudge()

    assert (flow.health().is_scheduled, LastRun.objects.get().name) == (False, tasks.NUDGE)


def test_a_nudge_that_meets_silence_changes_nothing(paid: list[Payment], khalti: Khalti) -> None:
    """C01"""
    khalti.next_lookup = [requests.ConnectionError("refused")]

    tasks.nudge()

    assert (len(khalti.asked), stands(paid[0])) == (1, ("initiated", "open"))


# Ordinary traffic


@pytest.fixture
def browser(shop: FakeShop, settings: Any) -> Client:
    """A shopper's, who has been here before."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "loyalink_khalti.storefront.middleware.WaitingPaymentMiddleware",
    ]
    client = Client(headers={"User-Agent": BROWSER})
    session = client.session
    session["been here"] = True
    session.save()
    return client


def test_a_page_that_somebody_opens_makes_one_payment_be_looked_at_after_the_response(
    browser: Client, paid: list[Payment], khalti: Khalti, shop: FakeShop
) -> None:
    """G06: a shop that schedules nothing recovers all the same, and nobody waits for it."""
    khalti.while_looking_up = lambda: happened.append("asked")
    browser.get("/")
    browser.get("/")

    assert happened == ["page", "the response is out", "asked", "page", "the response is out"]
    assert shop.confirmed == [("order-0", 250_000)]


def test_under_asgi_nobody_waits_for_it_either(browser: Client, paid: list[Payment], khalti: Khalti) -> None:
    """G06"""
    khalti.while_looking_up = lambda: happened.append("asked")

    served("/", user_agent=BROWSER, cookie=f"sessionid={browser.cookies['sessionid'].value}")

    assert happened == ["page", "the response is out", "asked"]


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
def test_a_program_makes_nothing_be_looked_at(browser: Client, paid: list[Payment], khalti: Khalti, name: str) -> None:
    """A18"""
    browser.get("/", headers={"User-Agent": name})
    by_a_program = list(khalti.asked)
    browser.get("/")

    assert (by_a_program, len(khalti.asked)) == ([], 1)


def test_a_browser_without_a_cookie_makes_nothing_be_looked_at(
    browser: Client, paid: list[Payment], khalti: Khalti
) -> None:
    browser.cookies.clear()

    browser.get("/")

    assert (khalti.asked, LastRun.objects.filter(name=tasks.NUDGE).exists()) == ([], False)


def test_with_a_worker_a_page_hands_over_and_asks_nobody(
    browser: Client, worker: type[Queue], paid: list[Payment], khalti: Khalti
) -> None:
    browser.get("/")
    in_the_request = list(khalti.asked)

    assert (in_the_request, worker.work()) == ([], ["3 paid"])


def test_a_nudge_that_fails_costs_the_visitor_nothing(
    browser: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TASKS = {"default": {"BACKEND": "no.such.Backend"}}

    assert browser.get("/").status_code == 200
    assert "after a response: InvalidTaskBackendError" in caplog.text


def test_a_page_costs_no_query_while_this_process_has_nudged_just_now(
    browser: Client, django_assert_num_queries: Any
) -> None:
    browser.get("/")

    with django_assert_num_queries(1):  # the session
        browser.get("/")


def test_the_claim_is_one_statement_that_one_of_many_wins(db: None) -> None:
    before = watch.claim("job", every=timedelta(minutes=1))
    outcomes = at_once(10, lambda _index: watch.claim("job", every=timedelta(minutes=1)))
    with time_machine.travel(timezone.now() + timedelta(minutes=1, seconds=1)):
        later = at_once(10, lambda _index: watch.claim("job", every=timedelta(minutes=1)))

    assert (before, outcomes, sorted(map(bool, later))) == (True, [False] * 10, [False] * 9 + [True])
    assert outbox.stuck() == 0
