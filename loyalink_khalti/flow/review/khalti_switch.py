"""E-mail the shop whenever Khalti is switched off or on: orders may be lost by one, money by the other."""

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from loyalink_khalti import outbox
from loyalink_khalti.flow.members.directory import login_name

from .alerts import mail_alert

_MAIL = f"{__name__}.mail_switch"


def alert_khalti_switched(*, site_key: str, enabled: bool, actor: str | None) -> None:
    """Let the outbox send an e-mail about it, in the caller's transaction; ``actor`` is the user's pk as text."""
    outbox.post(_MAIL, site_key=site_key, enabled=enabled, actor=actor, at=timezone.now().isoformat())


def mail_switch(site_key: str, enabled: bool, actor: str | None, at: str, message_id: int) -> None:
    """E-mail ``ALERTS_TO``; the outbox calls this at least once."""
    context = {"enabled": enabled, "actor": login_name(actor) if actor else "", "at": parse_datetime(at)}
    mail_alert("khalti_switched", context, message_id, site_key=site_key)
