"""A mail backend that can be held up: while there is a gate, no mail is sent until a test opens it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage

from sandbox.mail import FileBackend

GATE = "mail.gate"


class HeldBackend(FileBackend):
    """Wait at the gate, which is a pipe, until the other side has opened and closed it."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        gate = Path(settings.VAR) / GATE
        if gate.exists():
            gate.read_bytes()
        return super().send_messages(email_messages)


@contextmanager
def gate(folder: Path) -> Iterator[Path]:
    """Hold all mails up. Opening the gate for writing waits for a mail; closing the gate sends it."""
    pipe = folder / GATE
    os.mkfifo(pipe)
    try:
        yield pipe
    finally:
        pipe.unlink()
