"""The transport on real sockets: always back in time, whatever the other side does, and never sent twice unasked."""

import contextlib
import datetime
import ipaddress
import os
import socket
import ssl
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from loyalink_khalti.errors import KhaltiUnreachable, KhaltiUnreadable
from loyalink_khalti.khalti import Khalti, Status, Transport
from loyalink_khalti.khalti import bounded as bounded_module

from . import vectors
from .peer import answer
from .test_client import ORDER, PIDX, TRANSACTION

PENDING = answer(vectors.looked_up("Pending"))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextlib.contextmanager
def in_time():
    """The deadline of these tests is 0.5 s, and nobody waits a second longer."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < 1.5


def silent(peer, conn, number):
    peer.read(conn)


def drips_its_status_line(peer, conn, number):
    peer.read(conn)
    peer.drip(conn)


def drips_a_header(peer, conn, number):
    peer.read(conn)
    conn.sendall(HEAD + b"X-Slow: ")
    peer.drip(conn)


def drips_headers(peer, conn, number):
    peer.read(conn)
    conn.sendall(HEAD)
    peer.drip(conn, b"X-Slow: yes\r\n")


def drips_its_body(peer, conn, number):
    peer.read(conn)
    conn.sendall(HEAD + b"Content-Length: 5000\r\n\r\n")
    peer.drip(conn, b" ")


def drips_chunks(peer, conn, number):
    peer.read(conn)
    conn.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    peer.drip(conn, b"1\r\n \r\n")


def drips_a_body_without_end(peer, conn, number):
    peer.read(conn)
    conn.sendall(HEAD + b"\r\n" + PENDING.partition(b"\r\n\r\n")[2])
    peer.drip(conn, b" ")


def promises_to_go_on(peer, conn, number):
    peer.read(conn)
    peer.drip(conn, b"HTTP/1.1 100 Continue\r\n\r\n")


def stops_in_its_body(peer, conn, number):
    peer.read(conn)
    conn.sendall(PENDING[:-5])


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
        promises_to_go_on,
        stops_in_its_body,
    ],
)
def test_whatever_is_slow_ends_at_the_deadline_and_leaves_no_socket(behaviour, peer, at):
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
    assert slow.left_by(3)
    assert len(slow.requests) == 3


def test_a_connection_that_is_accepted_but_never_secured_ends_at_the_deadline(peer, secret):
    """C02."""
    mute = peer(lambda *_: None)
    khalti = Khalti(base_url=mute.url.replace("http:", "https:"), secret=secret, transport=Transport(deadline=0.5))

    with in_time(), pytest.raises(KhaltiUnreachable, match="Timeout"):
        khalti.lookup(PIDX)

    assert mute.left_by(1)


def test_a_handshake_that_drips_ends_at_the_deadline(peer, secret):
    """C02: the header of a TLS record of 16 kB, and then a byte now and then."""

    def drips_its_hello(peer, conn, number):
        conn.recv(65536)
        conn.sendall(b"\x16\x03\x03\x40\x00")
        peer.drip(conn)

    slow = peer(drips_its_hello)
    khalti = Khalti(base_url=slow.url.replace("http:", "https:"), secret=secret, transport=Transport(deadline=0.5))

    with in_time(), pytest.raises(KhaltiUnreachable):
        khalti.lookup(PIDX)

    assert slow.left_by(1)


def test_a_name_that_does_not_resolve_in_time_ends_at_the_deadline_in_one_thread_for_all(secret, monkeypatch):
    """C01."""
    over, asked = threading.Event(), []

    def hang(*args, **kwargs):
        asked.append(args)
        over.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    khalti = Khalti(base_url="https://khalti.test/api/v2/", secret=secret, transport=Transport(deadline=0.5))

    with in_time(), ThreadPoolExecutor(8) as pool:
        outcomes = [pool.submit(khalti.lookup, PIDX) for _ in range(8)]
        assert {type(outcome.exception()) for outcome in outcomes} == {KhaltiUnreachable}

    assert len(asked) == 1
    resolving = [thread for thread in threading.enumerate() if thread.name == "resolve khalti.test"]
    over.set()
    for thread in resolving:
        thread.join(timeout=5)
    assert len(resolving) == 1
    assert not resolving[0].is_alive()


def test_a_name_that_does_not_exist_is_no_answer(secret, monkeypatch):
    """C01."""

    def refuse(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    with pytest.raises(KhaltiUnreachable, match="gaierror"):
        Khalti(base_url="https://khalti.test/api/v2/", secret=secret).lookup(PIDX)


def test_a_dead_address_leaves_time_for_the_next(peer, secret, monkeypatch):
    there = peer(stays)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = taken.getsockname()[1]  # bound, but nobody listens
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (dead, there.port)]
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


def closes_without_a_word(peer, conn, number):
    peer.read(conn)
    conn.shutdown(socket.SHUT_RDWR)


def resets_in_its_body(peer, conn, number):
    peer.read(conn)
    conn.sendall(PENDING[:-5])
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    conn.close()


def closes_in_its_body(peer, conn, number):
    peer.read(conn)
    conn.sendall(PENDING[:-5])
    conn.shutdown(socket.SHUT_RDWR)


def closes_one_blank_before_its_end(peer, conn, number):
    """All of the JSON is there, and yet not all that was announced."""
    peer.read(conn)
    conn.sendall(answer(PENDING.partition(b"\r\n\r\n")[2] + b" ")[:-1])
    conn.shutdown(socket.SHUT_RDWR)


def closes_between_chunks(peer, conn, number):
    peer.read(conn)
    body = PENDING.partition(b"\r\n\r\n")[2]
    conn.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(body), body))
    conn.shutdown(socket.SHUT_RDWR)


def speaks_another_protocol(peer, conn, number):
    peer.read(conn)
    conn.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def sends_headers_without_end(peer, conn, number):
    peer.read(conn)
    conn.sendall(HEAD)
    while not peer.over.is_set():
        conn.sendall(b"X-Much: " + b"a" * 8000 + b"\r\n")


def sends_one_header_without_end(peer, conn, number):
    peer.read(conn)
    conn.sendall(HEAD + b"X-Much: ")
    while not peer.over.is_set():
        conn.sendall(b"a" * 65536)


@pytest.mark.parametrize(
    "behaviour",
    [
        closes_without_a_word,
        resets_in_its_body,
        closes_in_its_body,
        closes_one_blank_before_its_end,
        closes_between_chunks,
        speaks_another_protocol,
        sends_headers_without_end,
        sends_one_header_without_end,
    ],
)
def test_an_answer_that_breaks_off_is_no_answer_and_nothing_is_sent_again(behaviour, peer, at):
    """C05, C06."""
    broken = peer(behaviour)

    with in_time(), pytest.raises(KhaltiUnreachable):
        at(broken).lookup(PIDX)

    assert len(broken.requests) == 1
    assert broken.left_by(1)


def test_a_flood_of_promises_is_left_at_the_cap_long_before_the_deadline(peer, secret):
    """C05: http.client would read them for ever."""

    def floods(peer, conn, number):
        peer.read(conn)
        while not peer.over.is_set():
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    khalti = Khalti(base_url=peer(floods).url, secret=secret, transport=Transport(deadline=5))

    with in_time(), pytest.raises(KhaltiUnreachable, match="OSError"):
        khalti.lookup(PIDX)


def test_a_body_without_end_is_left_at_the_cap(peer, at):
    def pours(peer, conn, number):
        peer.read(conn)
        conn.sendall(HEAD + b"\r\n")
        while not peer.over.is_set():
            conn.sendall(b" " * 65536)

    endless = peer(pours)

    with in_time(), pytest.raises(KhaltiUnreadable, match="too long"):
        at(endless).lookup(PIDX)

    assert endless.left_by(1)


def stays(peer, conn, number):
    """Answer one request after the other on one connection."""
    while peer.read(conn):
        conn.sendall(PENDING)


def test_one_connection_serves_one_exchange_after_the_other(peer, at):
    kept = peer(stays)

    for _ in range(3):
        assert at(kept).lookup(PIDX).status is Status.PENDING

    assert (kept.connections, len(kept.requests)) == (1, 3)


def test_a_connection_serves_no_more_once_an_exchange_on_it_has_failed(peer, at):
    def falters(peer, conn, number):
        peer.read(conn)
        conn.sendall(PENDING if number > 1 else PENDING[:-5])

    faltering = peer(falters)

    with pytest.raises(KhaltiUnreachable):
        at(faltering).lookup(PIDX)
    assert at(faltering).lookup(PIDX).status is Status.PENDING

    assert faltering.connections == 2


def test_threads_get_each_their_own_answer(peer, secret):
    def echoes(peer, conn, number):
        while request := peer.read(conn):
            pidx = request.partition(b'"pidx": "')[2].partition(b'"')[0].decode()
            conn.sendall(answer(vectors.looked_up("Pending", pidx=pidx)))

    echo = peer(echoes)
    khalti = Khalti(base_url=echo.url, secret=secret)
    asked = [f"pidx-{number}" for number in range(100)]

    with ThreadPoolExecutor(16) as pool:
        assert [lookup.pidx for lookup in pool.map(khalti.lookup, asked)] == asked

    assert echo.connections <= 16


def goes_when_asked_again(peer, conn, number):
    """Answer the first request of the first connection and close at the second, as a restarted server does."""
    peer.read(conn)
    conn.sendall(PENDING)
    if number == 1:
        peer.read(conn)
        conn.shutdown(socket.SHUT_RDWR)


def test_a_lookup_on_a_stale_connection_is_asked_once_more_on_a_new_one(peer, at):
    stale = peer(goes_when_asked_again)

    assert at(stale).lookup(PIDX).status is Status.PENDING
    assert at(stale).lookup(PIDX).status is Status.PENDING

    assert (stale.connections, len(stale.requests)) == (2, 3)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda khalti: khalti.initiate(ORDER), id="initiate"),
        pytest.param(lambda khalti: khalti.refund(TRANSACTION), id="refund"),
    ],
)
def test_an_initiate_or_a_refund_is_never_sent_again(ask, peer, at):
    stale = peer(goes_when_asked_again)
    at(stale).lookup(PIDX)

    with pytest.raises(KhaltiUnreachable):
        ask(at(stale))

    assert len(stale.requests) == 2


def test_a_lookup_is_asked_again_once_and_not_twice(peer, at):
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


def test_a_connection_that_rested_long_is_not_trusted_with_an_initiate(peer, at, monkeypatch):
    kept = peer(stays)
    at(kept).lookup(PIDX)

    monkeypatch.setattr(bounded_module, "LONGEST_REST", -1.0)
    at(kept).lookup(PIDX)

    assert kept.connections == 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_makes_connections_of_its_own(peer, at):
    kept = peer(stays)
    khalti = at(kept)
    khalti.lookup(PIDX)

    child = os.fork()
    if not child:
        try:
            os._exit(0 if khalti.lookup(PIDX).status is Status.PENDING else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    khalti.lookup(PIDX)

    assert (kept.connections, len(kept.requests)) == (2, 3)


def make_certificate(path, *, host="127.0.0.1", ended=False):
    """A certificate that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - 3 * day)
        .not_valid_after(now - day if ended else now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(pem)
    )
    return path


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for 127.0.0.1."""
    return make_certificate(tmp_path / "server.pem")


def secured(behaviour, certificate):
    """Let a behaviour speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def over_tls(peer, conn, number):
        with context.wrap_socket(conn, server_side=True) as wrapped:
            behaviour(peer, wrapped, number)
            peer.hold(wrapped)

    return over_tls


def test_a_server_that_cannot_prove_its_name_never_sees_the_key(peer, secret, certificate, monkeypatch):
    """C23: and no variable of the environment makes it so."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate))
    self_signed = peer(secured(stays, certificate))

    with pytest.raises(KhaltiUnreachable, match="SSLCertVerificationError"):
        Khalti(base_url=self_signed.url.replace("http:", "https:"), secret=secret).lookup(PIDX)

    assert self_signed.requests == []


@pytest.fixture
def trusted(certificate, monkeypatch):
    """The world's authorities, for a test: those that the certificate names."""
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    return certificate


@pytest.mark.parametrize("wrong", [{"host": "127.0.0.2"}, {"ended": True}], ids=["another host", "ended"])
def test_a_certificate_that_does_not_hold_is_refused_whoever_signed_it(wrong, peer, secret, tmp_path, monkeypatch):
    """C23: its authority is trusted; its name or its time is not."""
    made = make_certificate(tmp_path / "wrong.pem", **wrong)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(made))
    server = peer(secured(stays, made))

    with pytest.raises(KhaltiUnreachable, match=r"SSLCertVerificationError|CertificateError"):
        Khalti(base_url=server.url.replace("http:", "https:"), secret=secret).lookup(PIDX)

    assert server.requests == []


def test_a_server_that_speaks_an_old_tls_only_is_refused(peer, secret, trusted):
    """C23: TLS 1.1 and older."""

    def secured_as_long_ago(peer, conn, number):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.load_cert_chain(trusted)
        with context.wrap_socket(conn, server_side=True) as wrapped:
            stays(peer, wrapped, number)

    server = peer(secured_as_long_ago)

    with pytest.raises(KhaltiUnreachable, match="SSL"):
        Khalti(base_url=server.url.replace("http:", "https:"), secret=secret).lookup(PIDX)

    assert server.requests == []


def test_over_tls_too_one_connection_serves_and_a_drip_ends_at_the_deadline(peer, secret, trusted):
    """C04."""

    def answers_once(peer, conn, number):
        peer.read(conn)
        conn.sendall(PENDING)
        drips_a_header(peer, conn, number)

    slow = peer(secured(answers_once, trusted))
    khalti = Khalti(base_url=slow.url.replace("http:", "https:"), secret=secret, transport=Transport(deadline=0.5))

    assert khalti.lookup(PIDX).status is Status.PENDING
    with in_time(), pytest.raises(KhaltiUnreachable, match="Timeout"):
        khalti.lookup(PIDX)

    assert slow.left_by(1)
    assert slow.connections == 1
