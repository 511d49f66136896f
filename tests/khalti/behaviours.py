"""What a misbehaving server does to one connection; ``Peer`` runs it."""

import contextlib
import socket
import time

from . import vectors
from .peer import answer

PENDING = answer(vectors.looked_up("Pending"))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextlib.contextmanager
def in_time():
    """Fail when the block takes more than a second longer than the deadline of these tests, 0.5 s."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 1.5


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


def sends_100_continue(peer, conn, number):
    peer.read(conn)
    peer.drip(conn, b"HTTP/1.1 100 Continue\r\n\r\n")


def stops_in_its_body(peer, conn, number):
    peer.read(conn)
    conn.sendall(PENDING[:-5])


def closes_at_once(peer, conn, number):
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


def closes_one_byte_early(peer, conn, number):
    """Send the whole JSON, but one byte less than Content-Length."""
    peer.read(conn)
    conn.sendall(answer(PENDING.partition(b"\r\n\r\n")[2] + b" ")[:-1])
    conn.shutdown(socket.SHUT_RDWR)


def closes_between_chunks(peer, conn, number):
    peer.read(conn)
    body = PENDING.partition(b"\r\n\r\n")[2]
    conn.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(body), body))
    conn.shutdown(socket.SHUT_RDWR)


def answers_in_another_protocol(peer, conn, number):
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


def stays(peer, conn, number):
    """Answer every request on one connection."""
    while peer.read(conn):
        conn.sendall(PENDING)


def closes_at_the_second_request(peer, conn, number):
    """Answer one request, and on the first connection close at the second, as a restarted server does."""
    peer.read(conn)
    conn.sendall(PENDING)
    if number == 1:
        peer.read(conn)
        conn.shutdown(socket.SHUT_RDWR)
