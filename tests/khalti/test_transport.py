"""Truncated and endless responses are no answers, connections are reused, and nothing is sent twice."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from loyalink_khalti.errors import KhaltiUnreachable, KhaltiUnreadable
from loyalink_khalti.khalti import Khalti, Status, Transport
from loyalink_khalti.khalti import deadline as deadline_module

from . import vectors
from .behaviours import (
    HEAD,
    PENDING,
    answers_in_another_protocol,
    closes_at_once,
    closes_at_the_second_request,
    closes_between_chunks,
    closes_in_its_body,
    closes_one_byte_early,
    in_time,
    resets_in_its_body,
    sends_headers_without_end,
    sends_one_header_without_end,
    stays,
)
from .peer import answer
from .test_client import ORDER, PIDX, TRANSACTION


@pytest.mark.parametrize(
    "behaviour",
    [
        closes_at_once,
        resets_in_its_body,
        closes_in_its_body,
        closes_one_byte_early,
        closes_between_chunks,
        answers_in_another_protocol,
        sends_headers_without_end,
        sends_one_header_without_end,
    ],
)
def test_a_truncated_response_is_no_answer_and_is_not_retried(behaviour, peer, at):
    """C05, C06."""
    broken = peer(behaviour)

    with in_time(), pytest.raises(KhaltiUnreachable):
        at(broken).lookup(PIDX)

    assert len(broken.requests) == 1
    assert broken.closed_by_client(1)


def test_endless_100_continue_responses_end_at_the_size_limit(peer, secret):
    """C05: http.client would read them forever."""

    def floods(peer, conn, number):
        peer.read(conn)
        while not peer.over.is_set():
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    khalti = Khalti(base_url=peer(floods).url, secret=secret, transport=Transport(deadline=5))

    with in_time(), pytest.raises(KhaltiUnreachable, match="OSError"):
        khalti.lookup(PIDX)


def test_an_endless_body_ends_at_the_size_limit(peer, at):
    def pours(peer, conn, number):
        peer.read(conn)
        conn.sendall(HEAD + b"\r\n")
        while not peer.over.is_set():
            conn.sendall(b" " * 65536)

    endless = peer(pours)

    with in_time(), pytest.raises(KhaltiUnreadable, match="too long"):
        at(endless).lookup(PIDX)

    assert endless.closed_by_client(1)


def test_one_connection_serves_many_calls(peer, at):
    server = peer(stays)

    for _ in range(3):
        assert at(server).lookup(PIDX).status is Status.PENDING

    assert (server.connections, len(server.requests)) == (1, 3)


def test_a_connection_is_not_reused_after_a_failure(peer, at):
    def falters(peer, conn, number):
        peer.read(conn)
        conn.sendall(PENDING if number > 1 else PENDING[:-5])

    faltering = peer(falters)

    with pytest.raises(KhaltiUnreachable):
        at(faltering).lookup(PIDX)
    assert at(faltering).lookup(PIDX).status is Status.PENDING

    assert faltering.connections == 2


def test_each_thread_gets_its_own_answer(peer, secret):
    def echoes(peer, conn, number):
        while request := peer.read(conn):
            pidx = request.partition(b'"pidx": "')[2].partition(b'"')[0].decode()
            conn.sendall(answer(vectors.looked_up("Pending", pidx=pidx)))

    echo = peer(echoes)
    khalti = Khalti(base_url=echo.url, secret=secret)
    pidxs = [f"pidx-{number}" for number in range(100)]

    with ThreadPoolExecutor(16) as pool:
        assert [lookup.pidx for lookup in pool.map(khalti.lookup, pidxs)] == pidxs

    assert echo.connections <= 16


def test_a_lookup_on_a_stale_connection_is_sent_again_on_a_new_one(peer, at):
    stale = peer(closes_at_the_second_request)

    assert at(stale).lookup(PIDX).status is Status.PENDING
    assert at(stale).lookup(PIDX).status is Status.PENDING

    assert (stale.connections, len(stale.requests)) == (2, 3)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda khalti: khalti.initiate(ORDER), id="initiate"),
        pytest.param(lambda khalti: khalti.refund(TRANSACTION), id="refund"),
    ],
)
def test_initiate_and_refund_are_never_sent_again(call, peer, at):
    stale = peer(closes_at_the_second_request)
    at(stale).lookup(PIDX)

    with pytest.raises(KhaltiUnreachable):
        call(at(stale))

    assert len(stale.requests) == 2


def test_a_lookup_is_sent_again_only_once(peer, at):
    def goes(peer, conn, number):
        peer.read(conn)
        if number == 1:
            conn.sendall(PENDING)
            peer.read(conn)
        conn.shutdown(socket.SHUT_RDWR)

    gone = peer(goes)
    at(gone).lookup(PIDX)

    with pytest.raises(KhaltiUnreachable):
        at(gone).lookup(PIDX)

    assert len(gone.requests) == 3


def test_a_connection_that_was_idle_too_long_is_not_reused(peer, at, monkeypatch):
    server = peer(stays)
    at(server).lookup(PIDX)

    monkeypatch.setattr(deadline_module, "MAX_IDLE", -1.0)
    at(server).lookup(PIDX)

    assert server.connections == 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_opens_its_own_connections(peer, at):
    server = peer(stays)
    khalti = at(server)
    khalti.lookup(PIDX)

    child = os.fork()
    if not child:
        try:
            os._exit(0 if khalti.lookup(PIDX).status is Status.PENDING else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    khalti.lookup(PIDX)

    assert (server.connections, len(server.requests)) == (2, 3)
