"""How Wagtail's log tells what staff have done with money and keys."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.log_actions import LogActionRegistry, LogFormatter

from loyalink_khalti.money import Paisa, grouped, npr

from . import forms, limits, rules_form
from .campaigns import rows as campaigns
from .payments import ask, deciding, giving_back


class _Told(LogFormatter):
    """A label, and what the entry's data say."""

    label: Any

    def format_message(self, log_entry: Any) -> str:
        return f"{self.label}: {self.told(log_entry.data)}"

    def told(self, data: dict[str, Any]) -> str:
        """What it says besides its label."""
        return ""


class _Key(_Told):
    def told(self, data: dict[str, Any]) -> str:
        return f"{data.get('environment', '')}, {data.get('fingerprint', '')}"


class KeySaved(_Key):
    label: Any = gettext_lazy("Save a Khalti key")


class KeyRemoved(_Key):
    label: Any = gettext_lazy("Remove a Khalti key")


class Asked(_Told):
    label: Any = gettext_lazy("Ask Khalti about a payment")

    def told(self, data: dict[str, Any]) -> str:
        return str(data.get("status") or _("no answer"))


class Refunded(_Told):
    label: Any = gettext_lazy("Give back")

    def told(self, data: dict[str, Any]) -> str:
        return f"{npr(Paisa(data.get('cash', 0)))}, {data.get('state', '')}"


class Decided(_Told):
    label: Any = gettext_lazy("Answer a flag")

    def told(self, data: dict[str, Any]) -> str:
        return f"{data.get('flag', '')} ({data.get('reason', '')}): {data.get('decision', '')}"


class RefundLimit(_Told):
    label: Any = gettext_lazy("Change the limit of refunds")

    def told(self, data: dict[str, Any]) -> str:
        return " → ".join(self.limit(data.get(which)) for which in ("old", "new"))

    def limit(self, limit: int | None) -> str:
        return _("no limit") if limit is None else self.write(limit)

    def write(self, limit: int) -> str:
        return npr(Paisa(limit))


class AdjustLimit(RefundLimit):
    label: Any = gettext_lazy("Change the limit of adjustments")

    def write(self, limit: int) -> str:
        return grouped(limit)


class RulesChanged(_Told):
    label: Any = gettext_lazy("Change the rules of the points")

    def format_message(self, log_entry: Any) -> str:
        changes = "; ".join(log_entry.data.get("changes", []))
        return f"{self.label} ({log_entry.data.get('version', '')}): {changes}"


class _Campaign(_Told):
    def told(self, data: dict[str, Any]) -> str:
        return f"{data.get('name', '')} ({data.get('version', '')})"


def register(actions: LogActionRegistry) -> None:
    """Show in the site history who has done what, with figures and fingerprints alone: no name and no key."""
    formatters = {
        forms.SAVED: KeySaved,
        forms.REMOVED: KeyRemoved,
        ask.ASKED: Asked,
        giving_back.REFUNDED: Refunded,
        deciding.DECIDED: Decided,
        rules_form.CHANGED: RulesChanged,
        limits.REFUNDS: RefundLimit,
        limits.ADJUSTMENTS: AdjustLimit,
        **{action: type("CampaignTold", (_Campaign,), {"label": label}) for action, label in campaigns.LABELS.items()},
    }
    for action, formatter in formatters.items():
        actions.register_action(action)(formatter)
