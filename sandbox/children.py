"""Child processes that end when their parent does, however it ends."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1


def start(
    command: Sequence[str | Path], *, farewell: signal.Signals = signal.SIGTERM, **options: Any
) -> subprocess.Popen[bytes]:
    """Start ``command`` out of the terminal's reach; the kernel (Linux) sends it ``farewell`` if this process dies."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches this process alone, which then ends its children in order
        preexec_fn=_send_when_orphaned(farewell),
        **options,
    )


def stop(child: subprocess.Popen[bytes], *, seconds: float = 10, farewell: signal.Signals = signal.SIGTERM) -> None:
    """Ask ``child`` to end, and after ``seconds`` end it and whatever it started."""
    if child.poll() is not None:
        return
    child.send_signal(farewell)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _send_when_orphaned(farewell: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: between fork and exec as little as possible should happen
    return lambda: prctl(PR_SET_PDEATHSIG, int(farewell))
