"""Work that waits until the browser has its response."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.signals import request_finished, request_started
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import path

from loyalink_khalti import outbox
from loyalink_khalti.after_response import after_response, in_request
from loyalink_khalti.outbox import Message
from tests.asgi import serve

HERE = __name__
MIDDLEWARE = "loyalink_khalti.storefront.middleware.PendingPaymentMiddleware"
events: list[Any] = []
"""What happened, in order."""


@pytest.fixture(autouse=True)
def _nothing_happened() -> Iterator[None]:
    events.clear()
    yield
    events.clear()


@pytest.fixture
def browser(settings: Any) -> Client:
    settings.ROOT_URLCONF = HERE
    settings.MIDDLEWARE = []
    return Client(raise_request_exception=False)


class Page(HttpResponse):
    """Notes when it is sent: a server closes a response when its last byte is written."""

    def close(self) -> None:
        events.append("the response is sent")
        super().close()


def note(name: str) -> None:
    events.append((name, in_request()))


def send_mail(to: str) -> None:
    events.append(f"a mail to {to}")
    mail.send_mail("Your order", "is on its way", None, [to])


# Views of a shop


def plain(request: HttpRequest) -> HttpResponse:
    for name in ("one", "two"):
        after_response(lambda name=name: note(name))  # type: ignore[misc]
    events.append("the view ends")
    return Page("done")


def failing(request: HttpRequest) -> HttpResponse:
    def fail() -> None:
        raise RuntimeError("sita@example.com cannot be reached")

    after_response(lambda: note("before"))
    after_response(fail)
    after_response(lambda: note("after"))
    return HttpResponse("done")


def breaking(request: HttpRequest) -> HttpResponse:
    after_response(lambda: note("after the failure"))
    raise RuntimeError("the view fails")


def nested(request: HttpRequest) -> HttpResponse:
    after_response(lambda: (note("first"), after_response(lambda: note("second"))))
    return HttpResponse("done")


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        for number in range(2):
            events.append(f"chunk {number}")
            yield b"chunk"

    after_response(lambda: note("after the stream"))
    return StreamingHttpResponse(chunks())


def buy(request: HttpRequest) -> HttpResponse:
    """Post a mail in a transaction; what happens to it is in the query."""
    with transaction.atomic():
        outbox.post(f"{HERE}.send_mail", to="sita@example.com")
        if "no" in request.GET:
            transaction.set_rollback(True)
    events.append("committed" if "no" not in request.GET else "rolled back")
    if "late" in request.GET:
        raise RuntimeError("the view fails")
    return Page("done")


began = threading.Event()


def slow(request: HttpRequest) -> HttpResponse:
    """A page that is ready only after its browser has left."""
    after_response(lambda: note("one"))
    began.set()
    time.sleep(0.2)  # the server notices meanwhile; nothing says when it has
    events.append("the view ends")
    return HttpResponse("done")


urlpatterns = [
    path("plain/", plain),
    path("slow/", slow),
    path("failing/", failing),
    path("breaking/", breaking),
    path("nested/", nested),
    path("streamed/", streamed),
    path("buy/", buy),
]


def test_outside_a_request_work_runs_at_once() -> None:
    after_response(lambda: note("now"))

    assert events == [("now", False)]


def test_outside_a_request_a_failure_reaches_the_caller() -> None:
    def fail() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        after_response(fail)


def test_in_a_request_work_runs_in_order_after_the_response(browser: Client) -> None:
    browser.get("/plain/")

    assert events == ["the view ends", "the response is sent", ("one", False), ("two", False)]


def test_work_that_fails_does_not_stop_other_work_and_its_message_is_not_logged(
    browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """I11: the message of an exception may name people."""
    answer = browser.get("/failing/")

    assert (answer.status_code, events) == (200, [("before", False), ("after", False)])
    assert "after a response: RuntimeError in fail" in caplog.text
    assert "sita@example.com" not in caplog.text


def test_work_runs_after_a_view_that_fails(browser: Client) -> None:
    """What was committed before the failure stays committed."""
    answer = browser.get("/breaking/")

    assert (answer.status_code, events) == (500, [("after the failure", False)])


def test_work_scheduled_by_work_runs_too(browser: Client) -> None:
    browser.get("/nested/")

    assert events == [("first", False), ("second", False)]


@pytest.mark.parametrize("middleware", [[], [MIDDLEWARE]], ids=["without our middleware", "with our middleware"])
def test_a_streamed_response_is_sent_completely_before(middleware: list[str], browser: Client, settings: Any) -> None:
    settings.MIDDLEWARE = middleware

    answer = browser.get("/streamed/")
    list(answer.streaming_content)  # type: ignore[attr-defined]

    assert events == ["chunk 0", "chunk 1", ("after the stream", False)]


def test_a_stream_that_is_never_closed_leaves_nothing_open_in_its_thread(browser: Client, settings: Any) -> None:
    """Whatever this thread does next would otherwise wait for the end of a response that never comes."""
    settings.MIDDLEWARE = [MIDDLEWARE]
    browser.get("/streamed/")

    after_response(lambda: note("now"))

    assert events == [("now", False)]


def test_work_of_a_request_that_never_finished_does_not_run_in_the_next() -> None:
    """A server may drop it; messages are in the outbox all the same."""
    request_started.send(sender=None)
    after_response(lambda: note("of the first"))
    request_started.send(sender=None)
    after_response(lambda: note("of the second"))
    request_finished.send(sender=None)

    assert events == [("of the second", False)]


def test_each_thread_schedules_its_own_work() -> None:
    began, go_on = threading.Event(), threading.Event()

    def other() -> None:
        request_started.send(sender=None)
        after_response(lambda: note("theirs"))
        began.set()
        go_on.wait(10)
        request_finished.send(sender=None)
        connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    began.wait(10)
    after_response(lambda: note("ours"))
    before = list(events)
    go_on.set()
    thread.join()

    assert (before, events) == ([("ours", False)], [("ours", False), ("theirs", False)])


def test_under_asgi_work_waits_with_our_middleware(browser: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [MIDDLEWARE]

    serve("/plain/")

    assert events == ["the view ends", "the response is sent", ("one", False), ("two", False)]
    assert not in_request()


def test_under_asgi_work_runs_once_where_the_browser_leaves_while_its_page_is_made(
    browser: Client, settings: Any
) -> None:
    """N35"""
    settings.MIDDLEWARE = [MIDDLEWARE]

    serve("/slow/", leave=lambda: began.wait(10))

    assert events == ["the view ends", ("one", False)]
    assert not in_request()


def test_under_asgi_work_runs_without_our_middleware(browser: Client) -> None:
    """Django 6.1 sends ``request_started`` in the context of the request; Django 5.2 in one of its own."""
    serve("/plain/")

    at_once = [("one", False), ("two", False), "the view ends", "the response is sent"]
    after_the_response = ["the view ends", "the response is sent", ("one", False), ("two", False)]
    assert events in (at_once, after_the_response)
    assert not in_request()


@pytest.mark.django_db(transaction=True)
@pytest.mark.money
class TestMailOfAView:
    """A mail that is posted in the transaction of a view."""

    def test_is_sent_after_the_commit_and_after_the_response(self, browser: Client) -> None:
        browser.get("/buy/")

        assert events == ["committed", "the response is sent", "a mail to sita@example.com"]
        assert [message.to for message in mail.outbox] == [["sita@example.com"]]
        assert Message.objects.get().sent_at is not None

    def test_is_never_sent_after_a_rollback(self, browser: Client) -> None:
        browser.get("/buy/?no")

        assert events == ["rolled back", "the response is sent"]
        assert (outbox.deliver(ignore_back_off=True), mail.outbox) == (0, [])

    def test_is_sent_although_the_view_failed_after_the_commit(self, browser: Client) -> None:
        answer = browser.get("/buy/?late")

        assert (answer.status_code, events) == (500, ["committed", "a mail to sita@example.com"])

    def test_is_never_sent_if_the_whole_request_is_rolled_back(self, browser: Client) -> None:
        """H07"""
        connection.settings_dict["ATOMIC_REQUESTS"] = True
        try:
            browser.get("/buy/?late")
            browser.get("/buy/")
        finally:
            connection.settings_dict["ATOMIC_REQUESTS"] = False

        assert events == [
            "committed",  # a savepoint alone
            "committed",
            "the response is sent",
            "a mail to sita@example.com",
        ]
        assert len(mail.outbox) == 1

    def test_that_cannot_be_sent_does_not_affect_the_customer_and_is_sent_later(
        self, browser: Client, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """G07"""
        settings.EMAIL_BACKEND = "nowhere.Backend"
        answer = browser.get("/buy/")
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

        assert (answer.status_code, outbox.deliver(ignore_back_off=True), len(mail.outbox)) == (200, 1, 1)
