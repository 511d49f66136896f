"""What waits until the browser has its answer."""

import threading
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
from loyalink_khalti.afterwards import afterwards, in_request
from loyalink_khalti.outbox import Message
from tests.asgi import served

HERE = __name__
told: list[Any] = []
"""What happened, in order."""


@pytest.fixture(autouse=True)
def _nothing_happened() -> Iterator[None]:
    told.clear()
    yield
    told.clear()


@pytest.fixture
def browser(settings: Any) -> Client:
    settings.ROOT_URLCONF = HERE
    settings.MIDDLEWARE = []
    return Client(raise_request_exception=False)


class Page(HttpResponse):
    """Notes when it has gone out: a server closes a response when its last byte is written."""

    def close(self) -> None:
        told.append("the response is out")
        super().close()


def tell(word: str) -> None:
    told.append((word, in_request()))


def send_mail(to: str) -> None:
    told.append(f"a mail to {to}")
    mail.send_mail("Your order", "is on its way", None, [to])


# Views of a shop


def plain(request: HttpRequest) -> HttpResponse:
    for word in ("one", "two"):
        afterwards(lambda word=word: tell(word))  # type: ignore[misc]
    told.append("the view ends")
    return Page("done")


def failing(request: HttpRequest) -> HttpResponse:
    def fail() -> None:
        raise RuntimeError("sita@example.com cannot be reached")

    afterwards(lambda: tell("before"))
    afterwards(fail)
    afterwards(lambda: tell("after"))
    return HttpResponse("done")


def breaking(request: HttpRequest) -> HttpResponse:
    afterwards(lambda: tell("all the same"))
    raise RuntimeError("the view is broken")


def nested(request: HttpRequest) -> HttpResponse:
    afterwards(lambda: (tell("first"), afterwards(lambda: tell("second"))))
    return HttpResponse("done")


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        for number in range(2):
            told.append(f"chunk {number}")
            yield b"chunk"

    afterwards(lambda: tell("afterwards"))
    return StreamingHttpResponse(chunks())


def buy(request: HttpRequest) -> HttpResponse:
    """Post a mail in a transaction; what happens to it is in the query."""
    with transaction.atomic():
        outbox.post(f"{HERE}.send_mail", to="sita@example.com")
        if "no" in request.GET:
            transaction.set_rollback(True)
    told.append("committed" if "no" not in request.GET else "rolled back")
    if "late" in request.GET:
        raise RuntimeError("the view is broken")
    return Page("done")


urlpatterns = [
    path("plain/", plain),
    path("failing/", failing),
    path("breaking/", breaking),
    path("nested/", nested),
    path("streamed/", streamed),
    path("buy/", buy),
]


def test_outside_a_request_it_is_done_at_once() -> None:
    afterwards(lambda: tell("now"))

    assert told == [("now", False)]


def test_outside_a_request_a_failure_is_the_callers() -> None:
    def fail() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        afterwards(fail)


def test_in_a_request_it_is_done_in_order_when_the_response_is_out(browser: Client) -> None:
    browser.get("/plain/")

    assert told == ["the view ends", "the response is out", ("one", False), ("two", False)]


def test_one_that_fails_keeps_no_other_from_being_done_and_its_own_words_to_itself(
    browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """I11: an exception's own words may name people."""
    answer = browser.get("/failing/")

    assert (answer.status_code, told) == (200, [("before", False), ("after", False)])
    assert "after a response: RuntimeError in fail" in caplog.text
    assert "sita@example.com" not in caplog.text


def test_a_view_that_breaks_keeps_nothing_from_being_done(browser: Client) -> None:
    """What was committed before it broke stays committed."""
    answer = browser.get("/breaking/")

    assert (answer.status_code, told) == (500, [("all the same", False)])


def test_what_is_asked_for_afterwards_is_done_then(browser: Client) -> None:
    browser.get("/nested/")

    assert told == [("first", False), ("second", False)]


def test_a_response_that_is_streamed_goes_out_whole_before(browser: Client) -> None:
    answer = browser.get("/streamed/")
    list(answer.streaming_content)  # type: ignore[attr-defined]

    assert told == ["chunk 0", "chunk 1", ("afterwards", False)]


def test_a_request_that_never_ended_leaves_nothing_to_the_next() -> None:
    """A server may drop it; what was to be sent is in the outbox all the same."""
    request_started.send(sender=None)
    afterwards(lambda: tell("of the first"))
    request_started.send(sender=None)
    afterwards(lambda: tell("of the second"))
    request_finished.send(sender=None)

    assert told == [("of the second", False)]


def test_requests_of_other_threads_have_their_own() -> None:
    began, go_on = threading.Event(), threading.Event()

    def other() -> None:
        request_started.send(sender=None)
        afterwards(lambda: tell("theirs"))
        began.set()
        go_on.wait(10)
        request_finished.send(sender=None)
        connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    began.wait(10)
    afterwards(lambda: tell("ours"))
    before = list(told)
    go_on.set()
    thread.join()

    assert (before, told) == ([("ours", False)], [("ours", False), ("theirs", False)])


def test_under_asgi_it_waits_where_our_middleware_is(browser: Client, settings: Any) -> None:
    settings.MIDDLEWARE = ["loyalink_khalti.storefront.middleware.WaitingPaymentMiddleware"]

    served("/plain/")

    assert told == ["the view ends", "the response is out", ("one", False), ("two", False)]
    assert not in_request()


def test_under_asgi_it_is_done_at_once_elsewhere(browser: Client) -> None:
    served("/plain/")

    assert told == [("one", False), ("two", False), "the view ends", "the response is out"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.money
class TestMailOfAView:
    """A mail that is posted in the transaction of a view."""

    def test_leaves_after_the_commit_and_after_the_response(self, browser: Client) -> None:
        browser.get("/buy/")

        assert told == ["committed", "the response is out", "a mail to sita@example.com"]
        assert [message.to for message in mail.outbox] == [["sita@example.com"]]
        assert Message.objects.get().sent_at is not None

    def test_never_leaves_where_the_transaction_was_rolled_back(self, browser: Client) -> None:
        browser.get("/buy/?no")

        assert told == ["rolled back", "the response is out"]
        assert (outbox.deliver(insist=True), mail.outbox) == (0, [])

    def test_leaves_although_the_view_broke_after_the_commit(self, browser: Client) -> None:
        answer = browser.get("/buy/?late")

        assert (answer.status_code, told) == (500, ["committed", "a mail to sita@example.com"])

    def test_never_leaves_where_the_shop_rolls_the_whole_request_back(self, browser: Client) -> None:
        """H07"""
        connection.settings_dict["ATOMIC_REQUESTS"] = True
        try:
            browser.get("/buy/?late")
            browser.get("/buy/")
        finally:
            connection.settings_dict["ATOMIC_REQUESTS"] = False

        assert told == [
            "committed",  # a savepoint alone
            "committed",
            "the response is out",
            "a mail to sita@example.com",
        ]
        assert len(mail.outbox) == 1

    def test_that_cannot_be_sent_costs_the_shopper_nothing_and_leaves_later(
        self, browser: Client, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """G07"""
        settings.EMAIL_BACKEND = "nowhere.Backend"
        answer = browser.get("/buy/")
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

        assert (answer.status_code, outbox.deliver(insist=True), len(mail.outbox)) == (200, 1, 1)
