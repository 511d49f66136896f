"""E-mail staff when an outage of Khalti has lasted for ten minutes, and when it has ended: once each.

Which process has seen it makes no difference: ``payments.servers`` sends each signal in the transaction that records
it, and the outbox sends the mail after that.
"""

from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from loyalink_khalti import outbox
from loyalink_khalti.payments.servers import KhaltiServer

from .alerts import mail_alert

_LASTS = f"{__name__}.mail_outage"
_ENDED = f"{__name__}.mail_outage_ended"


def alert_outage(*, row: KhaltiServer, **_signal: Any) -> None:
    """Let the outbox send the first e-mail. Receives ``outages.outage_lasts``, in its transaction."""
    outbox.post(_LASTS, server=row.server, since=_text(row.silent_since), error=row.error)


def alert_outage_ended(*, row: KhaltiServer, waiting: int, ended_at: datetime, **_signal: Any) -> None:
    """Let the outbox send the second. Receives ``outages.outage_ended``, in its transaction."""
    outbox.post(_ENDED, server=row.server, since=_text(row.silent_since), until=_text(ended_at), waiting=waiting)


def mail_outage(server: str, since: str, error: str, message_id: int) -> None:
    """E-mail ``ALERTS_TO`` that an outage lasts; the outbox calls this at least once."""
    mail_alert("outage", {"server": server, "since": parse_datetime(since), "error": error}, message_id)


def mail_outage_ended(server: str, since: str, until: str, waiting: int, message_id: int) -> None:
    """E-mail ``ALERTS_TO`` that it has ended; ``waiting`` is how many payments are looked up now."""
    context = {"server": server, "since": parse_datetime(since), "until": parse_datetime(until), "waiting": waiting}
    mail_alert("outage_ended", context, message_id)


def _text(at: datetime | None) -> str:
    return "" if at is None else at.isoformat()
