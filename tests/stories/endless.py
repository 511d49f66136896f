"""A client that sends a request line without end."""

import contextlib
import socket

import psutil

from tests.stories.running_store import Store

ENDLESS = 40_000_000
"""Bytes after which it gives up: nobody has stopped it."""


def send_endless_line(port: int) -> int:
    """Send a request line until the server closes the connection; return how many bytes it has taken."""
    sent, chunk = 0, b"a" * 65_536
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client, contextlib.suppress(OSError):
        client.sendall(b"GET /")
        while sent < ENDLESS:
            client.sendall(chunk)
            sent += len(chunk)
    return sent


def processor_seconds(store: Store) -> float:
    """Return the seconds of a processor that the store's workers have used."""
    times = [worker.cpu_times() for worker in store.workers() if worker.status() != psutil.STATUS_ZOMBIE]
    return float(sum(each.user + each.system for each in times))
