"""E-mail the shop whenever the key or the server changes with which it takes payments: a change can redirect money.

Editors change them in the settings of a site, and the deployment by its environment. A mail names a key by its
fingerprint, never the key.
"""

from enum import StrEnum
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from loyalink_khalti import outbox
from loyalink_khalti.flow.members.directory import login_name

from .alerts import mail_alert


class KeyChange(StrEnum):
    """What has changed."""

    SAVED = "saved"
    REMOVED = "removed"
    ENVIRONMENT = "environment"
    DEPLOYMENT = "deployment"


_LABELS: dict[KeyChange, Promise] = {
    KeyChange.SAVED: _("A new secret key was entered"),
    KeyChange.REMOVED: _("The secret key was removed"),
    KeyChange.ENVIRONMENT: _("Payments go to another server of Khalti's"),
    KeyChange.DEPLOYMENT: _("The server's configuration has another secret key or address of Khalti"),
}
_MAIL = f"{__name__}.mail_key_change"


def alert_key_change(
    *, site_key: str, change: KeyChange, environment: str, former: str, fingerprint: str, actor: str | None = None
) -> None:
    """Let the outbox send an e-mail about a change, in the caller's transaction.

    ``former`` and ``fingerprint`` are those of the keys before and after it, "" for none; for another environment they
    are the names of both. ``actor`` is the user's pk as text, None where the deployment has changed.
    """
    outbox.post(
        _MAIL, site_key=site_key, change=change.value, environment=environment, former=former,
        fingerprint=fingerprint, actor=actor, at=timezone.now().isoformat(),
    )  # fmt: skip


def alert_replaced_key(*, site_key: str, environment: str, former: str, fingerprint: str, **_signal: Any) -> None:
    """Do the same for a key of the deployment. Receives ``conf.deployment_key_replaced``."""
    alert_key_change(
        site_key=site_key, change=KeyChange.DEPLOYMENT, environment=environment, former=former, fingerprint=fingerprint
    )


def mail_key_change(
    site_key: str,
    change: str,
    environment: str,
    former: str,
    fingerprint: str,
    actor: str | None,
    at: str,
    message_id: int,
) -> None:
    """E-mail ``ALERTS_TO`` about a change; the outbox calls this at least once."""
    context = {
        "change": _LABELS[KeyChange(change)],
        "environment": environment,
        "former": former,
        "fingerprint": fingerprint,
        "actor": login_name(actor) if actor else "",
        "at": parse_datetime(at),
    }
    mail_alert("key_changed", context, message_id, site_key=site_key)


# Khalti off and on


_SWITCHED = f"{__name__}.mail_switch"


def alert_khalti_switched(*, site_key: str, enabled: bool, actor: str | None) -> None:
    """Let the outbox send an e-mail about it, in the caller's transaction; ``actor`` is the user's pk as text."""
    outbox.post(_SWITCHED, site_key=site_key, enabled=enabled, actor=actor, at=timezone.now().isoformat())


def mail_switch(site_key: str, enabled: bool, actor: str | None, at: str, message_id: int) -> None:
    """E-mail ``ALERTS_TO``; the outbox calls this at least once."""
    context = {"enabled": enabled, "actor": login_name(actor) if actor else "", "at": parse_datetime(at)}
    mail_alert("khalti_switched", context, message_id, site_key=site_key)
