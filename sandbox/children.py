"""Child processes that end when their parent ends, even when it is killed."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

Child = subprocess.Popen[bytes]
PR_SET_PDEATHSIG = 1
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(command: Sequence[str | Path], *, stop_signal: signal.Signals = signal.SIGTERM, **options: Any) -> Child:
    """Start ``command`` in a session of its own. On Linux it gets ``stop_signal`` when this process dies."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches only this process, which then stops its children in order
        preexec_fn=_stop_with_parent(stop_signal),
        **options,
    )


def stop(child: Child, *, seconds: float = 10, stop_signal: signal.Signals = signal.SIGTERM) -> None:
    """Send ``stop_signal`` to ``child``; after ``seconds`` kill it and all of its own children."""
    if child.poll() is not None:
        return
    child.send_signal(stop_signal)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@contextmanager
def end_on_signals() -> Iterator[None]:
    """Turn the first signal that ends a program into ``SystemExit``, so that every ``finally`` runs."""

    def end(number: int, _frame: FrameType | None) -> None:
        for name in SIGNALS:
            signal.signal(name, signal.SIG_IGN)  # a second Ctrl-C would leave children behind
        sys.exit(128 + number)

    before = {name: signal.signal(name, end) for name in SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def responds(url: str, child: Child, *, seconds: float = 120) -> bool:
    """Wait until ``url`` answers 200. Return False when ``child`` ends first, or after ``seconds``."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while child.poll() is None and time.monotonic() < end:
        try:
            with direct.open(url, timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def first_to_end(children: Mapping[str, Child]) -> str:
    """Wait until one of ``children`` ends, and return its name."""
    while True:
        for name, child in children.items():
            if child.poll() is not None:
                return name
        _wait_for_any()


def _wait_for_any() -> None:
    """Sleep until a child ends or a signal comes. The exit code can still be read."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    else:
        time.sleep(0.5)  # macOS, before Python 3.13


def _stop_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork, so that little happens between fork and exec

    def register() -> None:
        prctl(PR_SET_PDEATHSIG, int(stop_signal))

    return register
