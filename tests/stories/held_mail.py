"""A post office that takes its time: while there is a gate, no mail is sent before somebody has gone through it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage

from sandbox.mail import FileBackend

GATE = "mail.gate"


class HeldBackend(FileBackend):
    """Wait at the gate, which is a pipe, until the other side has been there and gone."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        gate = Path(settings.VAR) / GATE
        if gate.exists():
            gate.read_bytes()
        return super().send_messages(email_messages)


@contextmanager
def gate(folder: Path) -> Iterator[Path]:
    """Hold all mails up; whoever opens the gate for writing waits until one is there, and holds it until it closes."""
    pipe = folder / GATE
    os.mkfifo(pipe)
    try:
        yield pipe
    finally:
        pipe.unlink()
