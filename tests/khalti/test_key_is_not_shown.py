"""L01: no error has the key in its text, variables, cause, context or log lines."""

import base64
import http.client
import logging
import pprint
import socket

import pytest
import requests
import responses
import urllib3

from loyalink_khalti.errors import KhaltiError, KhaltiUnreadable
from loyalink_khalti.khalti import Khalti

from . import vectors
from .behaviours import closes_at_once, drips_a_header, sends_headers_without_end, silent, stays
from .conftest import KEY
from .test_client import LOOKUP, PIDX


def error_page(exc):
    """Yield everything that an error page could print of an exception: texts, arguments, variables of every frame."""
    seen, todo = set(), [exc]
    while todo:
        error = todo.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        todo += [error.__cause__, error.__context__]
        yield f"{error!s} {error!r} {error.args!r} {vars(error)!r}"
        assert not hasattr(error, "request")
        traceback = error.__traceback__
        while traceback:
            frame = traceback.tb_frame
            if "/tests/" not in frame.f_code.co_filename:
                yield from (pprint.pformat((name, value)) for name, value in frame.f_locals.items())
                yield from (repr(vars(value)) for value in frame.f_locals.values() if hasattr(value, "__dict__"))
            traceback = traceback.tb_next


def assert_hidden(text):
    assert KEY not in text
    assert KEY[-20:] not in text
    assert base64.b64encode(KEY.encode()).decode() not in text


@pytest.fixture(autouse=True)
def debug_logging(caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("refused"),
        requests.ReadTimeout("slow"),
        requests.exceptions.SSLError("expired"),
        requests.exceptions.InvalidHeader(f"Header part ('Key {KEY}') is wrong"),
        requests.TooManyRedirects("round and round"),
        urllib3.exceptions.LocationParseError("nowhere"),
        urllib3.exceptions.ProtocolError(f"Authorization: Key {KEY}"),
        ValueError(f"Key {KEY}"),
        RecursionError("deep"),
        OSError(5, "gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_exception_of_requests_is_passed_on(error, khalti, sandbox, caplog):
    sandbox.post(LOOKUP, body=error)

    with pytest.raises(KhaltiError) as caught:
        khalti.lookup(PIDX)

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    for text in [*error_page(caught.value), caplog.text]:
        assert_hidden(text)


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (200, "<html>"),
        (200, "{}"),
        (400, '{"amount": ["A valid integer is required."]}'),
        (401, '{"detail": "Invalid token."}'),
        (404, '{"detail": "Not found."}'),
        (429, "{}"),
        (500, "{}"),
    ],
)
def test_no_error_about_an_answer_shows_the_key(code, body, khalti, sandbox, caplog):
    sandbox.post(LOOKUP, status=code, body=body)

    with pytest.raises(KhaltiError) as caught:
        khalti.lookup(PIDX)

    for text in [*error_page(caught.value), caplog.text]:
        assert_hidden(text)


@pytest.mark.parametrize("code", [200, 400, 401, 404, 429])
def test_an_answer_that_repeats_the_key_is_dropped(code, khalti, sandbox, caplog):
    sandbox.post(LOOKUP, status=code, json={"detail": f"Invalid token: {KEY}"})

    with pytest.raises(KhaltiUnreadable) as caught:
        khalti.lookup(PIDX)

    for text in [*error_page(caught.value), caplog.text]:
        assert_hidden(text)


@pytest.mark.parametrize("behaviour", [silent, closes_at_once, drips_a_header, sends_headers_without_end])
def test_no_failure_on_a_real_socket_shows_the_key(behaviour, peer, at, caplog, capfd):
    with pytest.raises(KhaltiError) as caught:
        at(peer(behaviour)).lookup(PIDX)

    printed = "".join(capfd.readouterr())
    for text in [*error_page(caught.value), caplog.text, printed]:
        assert_hidden(text)


def test_debugging_at_every_level_shows_the_call_but_not_the_key(peer, at, caplog, capfd):
    """L01"""
    server = peer(stays)

    at(server).lookup(PIDX)

    assert KEY.encode() in server.requests[0]
    assert "POST /api/v2/epayment/lookup/" in caplog.text
    assert_hidden(caplog.text + "".join(capfd.readouterr()))


def test_an_interrupt_during_a_call_shows_no_key_in_the_frames_of_requests(khalti, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(socket, "getaddrinfo", interrupt)
    monkeypatch.setattr("loyalink_khalti.khalti.deadline.resolve", interrupt)

    with pytest.raises(KeyboardInterrupt) as caught:
        khalti.lookup(PIDX)

    traceback, shown = caught.value.__traceback__, []
    while traceback:
        if "/tests/" not in traceback.tb_frame.f_code.co_filename:
            shown.append(pprint.pformat(traceback.tb_frame.f_locals))
        traceback = traceback.tb_next
    assert "Authorization" in "".join(shown)
    assert_hidden("".join(shown))


def test_the_repr_of_a_client_has_the_server_and_the_masked_key(secret):
    shown = repr(Khalti(base_url="https://khalti.com/api/v2/", secret=secret))

    assert shown == "<Khalti https://khalti.com/api/v2/ live_…ffee>"


def test_a_sent_request_masks_the_key(khalti):
    with responses.RequestsMock() as mock:
        mock.post(LOOKUP, json=vectors.looked_up("Pending"))
        khalti.lookup(PIDX)

        assert_hidden(repr(mock.calls[0].request.headers))
