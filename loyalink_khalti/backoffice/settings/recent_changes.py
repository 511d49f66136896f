"""The panel of Wagtail's dashboard with the changes of Khalti's key and server in the last days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from wagtail.admin.ui.components import Component
from wagtail.models import ModelLogEntry

from loyalink_khalti.payments.models import Credentials
from loyalink_khalti.staff import permissions

from .form import ENVIRONMENT_CHANGED, KEY_REMOVED, KEY_SAVED

SHOWN_FOR = timedelta(days=7)
"""How long the panel shows a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change, as the panel shows it: never a key, only its fingerprint."""

    at: datetime
    actor: str
    text: str


class KeyChangesPanel(Component):
    """Who changed the key or the server of Khalti, and when."""

    name = "loyalink_khalti_key_changes"
    template_name = "loyalink_khalti/backoffice/key_changes.html"
    order = 80

    def __init__(self, changes: list[Change]) -> None:
        self.changes = changes

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return {"changes": self.changes, "days": SHOWN_FOR.days}


def add_key_changes_panel(request: HttpRequest, panels: list[Any]) -> None:
    """Add the panel for users who may see payments or Khalti's settings, if there is a change to show."""
    needed = (permissions.VIEW_PAYMENTS, permissions.KHALTI_SETTINGS, permissions.KHALTI_KEY)
    if any(permissions.has_permission(request.user, each) for each in needed) and (changes := recent_changes()):
        panels.append(KeyChangesPanel(changes))


def recent_changes() -> list[Change]:
    """Return the changes of the last days on all sites, the newest first; two queries."""
    since = timezone.now() - SHOWN_FOR
    actions = (KEY_SAVED, KEY_REMOVED, ENVIRONMENT_CHANGED)
    logged = ModelLogEntry.objects.filter(action__in=actions, timestamp__gte=since).select_related("user")
    by_editors = [
        Change(at=entry.timestamp, actor=str(entry.user_display_name), text=_logged_text(entry)) for entry in logged
    ]
    of_same_site = Credentials.objects.filter(
        site_key=OuterRef("site_key"), environment=OuterRef("environment"), pk__lt=OuterRef("pk")
    )
    replaced = Credentials.objects.filter(Exists(of_same_site), ciphertext=b"", created_at__gte=since)
    by_deployment = [
        Change(at=row.created_at, actor=_("the server's configuration"), text=_key_text(_("New key"), row))
        for row in replaced
    ]
    return sorted([*by_editors, *by_deployment], key=lambda change: change.at, reverse=True)


def _logged_text(entry: ModelLogEntry) -> str:
    data = entry.data
    if entry.action == ENVIRONMENT_CHANGED:
        return _("Server: %(old)s → %(new)s") % {"old": data.get("old") or "–", "new": data.get("new")}
    what = _("New key") if entry.action == KEY_SAVED else _("Key removed")
    return f"{what}: {data.get('environment')}, {data.get('fingerprint')}"


def _key_text(what: str, row: Credentials) -> str:
    return f"{what}: {row.environment}, {row.fingerprint}"
