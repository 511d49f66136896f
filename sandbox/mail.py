"""Mails as files in ``var/mail``, and the public pages at ``/sandbox/mail/`` that show them."""

import email
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage as Message
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, register_converter
from django.utils import timezone

NEWEST = 100
CONTENT_SECURITY_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


class FileBackend(BaseEmailBackend):
    """Write each mail to a file of its own, named after the current time (nanoseconds since 1970)."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            file = folder / f"{time.time_ns()}-{secrets.token_hex(4)}.eml"
            partial = file.with_suffix(".part")  # a reader never finds half a mail
            partial.write_bytes(message.message().as_bytes())
            partial.rename(file)
        return len(email_messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail as the pages show it."""

    name: str
    sent: datetime
    sender: str
    to: str
    subject: str
    text: str
    html: str


def read(file: Path) -> Mail:
    """Return the mail in ``file``."""
    message = email.message_from_bytes(file.read_bytes(), policy=policy.default)
    sent = datetime.fromtimestamp(int(file.name.partition("-")[0]) / 1e9, tz=UTC)
    return Mail(
        name=file.name,
        sent=timezone.localtime(sent),
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        text=_body(message, "plain"),
        html=_body(message, "html"),
    )


def newest() -> list[Mail]:
    """Return the latest mails, newest first."""
    files = Path(settings.EMAIL_FILE_PATH).glob("*.eml")
    return [read(file) for file in sorted(files, key=lambda file: file.name, reverse=True)[:NEWEST]]


def _body(message: Message, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content(errors="replace")) if part is not None else ""


class MailName:
    """The file names of ``FileBackend``; no other path."""

    regex = r"[0-9]+-[0-9a-f]{8}\.eml"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(MailName, "mail")


def mails(request: HttpRequest) -> HttpResponse:
    """List the mails that the store has sent."""
    return render(request, "sandbox/mails.html", {"mails": newest()})


def mail(request: HttpRequest, name: str) -> HttpResponse:
    """Show one mail, its HTML in a frame without scripts."""
    file = Path(settings.EMAIL_FILE_PATH) / name
    if not file.is_file():
        raise Http404(name)
    response = render(request, "sandbox/mail.html", {"mail": read(file)})
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


urlpatterns = [
    path("", mails, name="sandbox-mails"),
    path("<mail:name>", mail, name="sandbox-mail"),
]
