"""Every call ends at its deadline, whatever the server does, on real sockets."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from loyalink_khalti.errors import KhaltiUnreachable
from loyalink_khalti.khalti import Khalti, Status, Transport

from .behaviours import (
    drips_a_body_without_end,
    drips_a_header,
    drips_chunks,
    drips_headers,
    drips_its_body,
    drips_its_status_line,
    in_time,
    sends_100_continue,
    silent,
    stays,
    stops_in_its_body,
)
from .test_client import ORDER, PIDX, TRANSACTION


@pytest.mark.parametrize(
    "behaviour",
    [
        silent,
        drips_its_status_line,
        drips_a_header,
        drips_headers,
        drips_its_body,
        drips_chunks,
        drips_a_body_without_end,
        sends_100_continue,
        stops_in_its_body,
    ],
)
def test_every_slow_response_ends_at_the_deadline_and_closes_its_socket(behaviour, peer, at):
    """C03, C04, C05, I14: on each verb."""
    slow = peer(behaviour)
    khalti = at(slow)

    with in_time(), ThreadPoolExecutor(3) as pool:
        outcomes = [
            pool.submit(khalti.initiate, ORDER),
            pool.submit(khalti.lookup, PIDX),
            pool.submit(khalti.refund, TRANSACTION),
        ]

    assert {type(outcome.exception()) for outcome in outcomes} == {KhaltiUnreachable}
    assert all("Timeout" in str(outcome.exception()) for outcome in outcomes)
    assert slow.closed_by_client(3)
    assert len(slow.requests) == 3


def test_a_tls_handshake_without_a_response_ends_at_the_deadline(peer, secret):
    """C02."""
    silent_server = peer(lambda *_: None)
    khalti = Khalti(
        base_url=silent_server.url.replace("http:", "https:"), secret=secret, transport=Transport(deadline=0.5)
    )

    with in_time(), pytest.raises(KhaltiUnreachable, match="Timeout"):
        khalti.lookup(PIDX)

    assert silent_server.closed_by_client(1)


def test_a_dripping_tls_handshake_ends_at_the_deadline(peer, secret):
    """C02: the header of a TLS record of 16 kB, then single bytes."""

    def drips_its_server_hello(peer, conn, number):
        conn.recv(65536)
        conn.sendall(b"\x16\x03\x03\x40\x00")
        peer.drip(conn)

    slow = peer(drips_its_server_hello)
    khalti = Khalti(base_url=slow.url.replace("http:", "https:"), secret=secret, transport=Transport(deadline=0.5))

    with in_time(), pytest.raises(KhaltiUnreachable):
        khalti.lookup(PIDX)

    assert slow.closed_by_client(1)


def test_a_slow_name_resolution_ends_at_the_deadline_and_uses_one_thread(secret, monkeypatch):
    """C01."""
    over, resolutions = threading.Event(), []

    def hang(*args, **kwargs):
        resolutions.append(args)
        over.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    khalti = Khalti(base_url="https://khalti.test/api/v2/", secret=secret, transport=Transport(deadline=0.5))

    with in_time(), ThreadPoolExecutor(8) as pool:
        outcomes = [pool.submit(khalti.lookup, PIDX) for _ in range(8)]
        assert {type(outcome.exception()) for outcome in outcomes} == {KhaltiUnreachable}

    assert len(resolutions) == 1
    resolving = [thread for thread in threading.enumerate() if thread.name == "resolve khalti.test"]
    over.set()
    for thread in resolving:
        thread.join(timeout=5)
    assert len(resolving) == 1
    assert not resolving[0].is_alive()


def test_an_unknown_host_name_is_no_answer(secret, monkeypatch):
    """C01."""

    def refuse(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    with pytest.raises(KhaltiUnreachable, match="gaierror"):
        Khalti(base_url="https://khalti.test/api/v2/", secret=secret).lookup(PIDX)


def test_after_a_dead_address_the_next_one_is_tried(peer, secret, monkeypatch):
    server = peer(stays)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = taken.getsockname()[1]  # bound, but not listening
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (dead, server.port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

        khalti = Khalti(base_url="http://localhost:9/api/v2/", secret=secret)

        assert khalti.lookup(PIDX).status is Status.PENDING


def test_a_refused_connection_is_no_answer(secret):
    """C01."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        khalti = Khalti(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/", secret=secret)

        with in_time(), pytest.raises(KhaltiUnreachable, match="ConnectionRefusedError"):
            khalti.lookup(PIDX)
