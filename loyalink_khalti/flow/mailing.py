"""Mails that cannot be sent, told of without whom they were for."""

from collections.abc import Iterator
from contextlib import contextmanager

from loyalink_khalti.errors import MailNotSent


@contextmanager
def unaddressed() -> Iterator[None]:
    """Let a mail fail by the kind of its error alone: mail servers quote the address, and logs keep it."""
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - a mail service raises what it likes
        raise MailNotSent(type(exc).__name__) from None
