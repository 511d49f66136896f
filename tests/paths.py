"""Which modules of the package a piece of work runs through, so that a test can bound them."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import loyalink_khalti

PACKAGE = Path(loyalink_khalti.__file__).parent
OUTBOX = str(PACKAGE / "outbox.py")


@contextmanager
def traced(*leave_out: str) -> Iterator[set[str]]:
    """Collect the files of the package in which a function runs, as ``flow/checkout/quote.py``, in every thread.

    ``leave_out`` names files or folders that are no part of what is measured: ``"testing/"``, ``"simulator/"``.
    Importing a module is no call of a function in it, and does not count; nor does what a message of the outbox does
    after the commit (a mail): that is a path of its own.
    """
    found: set[str] = set()
    root = f"{PACKAGE}/"

    def note(frame: FrameType, event: str, _arg: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(root) and not _is_importing(frame):
            path = code.co_filename.removeprefix(root)
            if not path.startswith(leave_out) and not _is_in_message(frame):
                found.add(path)

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a frame is a module or a class that is just being defined."""
    while frame is not None and frame.f_code.co_filename.startswith(str(PACKAGE)):
        if frame.f_code.co_name == "<module>":
            return True
        frame = frame.f_back
    return False


def _is_in_message(frame: FrameType | None) -> bool:
    """Whether a frame runs within a function that the outbox has called."""
    while frame is not None:
        if frame.f_code.co_name == "_call" and frame.f_code.co_filename == OUTBOX:
            return True
        frame = frame.f_back
    return False
