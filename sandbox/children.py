"""Child processes that end when their parent does, however it ends."""

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


def start(command: Sequence[str | Path], *, farewell: signal.Signals = signal.SIGTERM, **options: Any) -> Child:
    """Start ``command`` out of the terminal's reach; the kernel (Linux) sends ``farewell`` if this process dies."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches this process alone, which then ends its children in order
        preexec_fn=_ask_for(farewell),
        **options,
    )


def stop(child: Child, *, seconds: float = 10, farewell: signal.Signals = signal.SIGTERM) -> None:
    """Ask ``child`` to end, and after ``seconds`` end it and whatever it started."""
    if child.poll() is not None:
        return
    child.send_signal(farewell)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@contextmanager
def end_on_signals() -> Iterator[None]:
    """Turn the signals that end a program into an exit that passes through every ``finally``, once."""

    def end(number: int, _frame: FrameType | None) -> None:
        for name in SIGNALS:
            signal.signal(name, signal.SIG_IGN)  # the children are being ended; a second Ctrl-C would leave them
        sys.exit(128 + number)

    before = {name: signal.signal(name, end) for name in SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def answers(url: str, child: Child, *, seconds: float = 120) -> bool:
    """Wait until ``url`` answers 200; False if ``child`` ends before, or does not answer within ``seconds``."""
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
    """Sleep until a child ends or a signal comes, leaving the exit code to whoever asks."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    else:
        time.sleep(0.5)  # macOS, before Python 3.13


def _ask_for(farewell: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: between fork and exec as little as possible should happen

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(farewell))

    return ask
