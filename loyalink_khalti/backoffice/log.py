"""Texts of Wagtail's site history for settings, rules and campaigns: figures and fingerprints only."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.log_actions import LogActionRegistry, LogFormatter

from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa
from loyalink_khalti.staff.listing import EXPORTED

from . import limits
from .campaigns import services as campaigns
from .models import Environment
from .rules import form as rules
from .settings import form as settings


class DataFormatter(LogFormatter, ABC):
    """A label, followed by the data of the entry."""

    label: Any

    def format_message(self, log_entry: Any) -> str:
        return f"{self.label}: {self.format_data(log_entry.data)}"

    @abstractmethod
    def format_data(self, data: dict[str, Any]) -> str:
        """Return the figures of the entry as text."""


def _server(code: str | None) -> str:
    """Return the label of one of Khalti's servers; a code that is none of them as it is, "–" for none."""
    return str(dict(Environment.choices).get(code or "", code or "–"))


class _Key(DataFormatter):
    def format_data(self, data: dict[str, Any]) -> str:
        return f"{_server(data.get('environment'))}, {data.get('fingerprint', '')}"


class KeySaved(_Key):
    label: Any = gettext_lazy("Save a Khalti key")


class KeyRemoved(_Key):
    label: Any = gettext_lazy("Remove a Khalti key")


class EnvironmentChanged(DataFormatter):
    label: Any = gettext_lazy("Change Khalti's server")

    def format_data(self, data: dict[str, Any]) -> str:
        return f"{_server(data.get('old'))} → {_server(data.get('new'))}"


class KhaltiSwitched(LogFormatter):
    label: Any = gettext_lazy("Switch Khalti off or on")

    def format_message(self, log_entry: Any) -> str:
        return _("Khalti is switched on") if log_entry.data.get("enabled") else _("Khalti is switched off")


class RefundLimitChanged(DataFormatter):
    label: Any = gettext_lazy("Change the refund limit")
    labels: ClassVar[dict[str, Any]] = {
        "refund_limit_per_actor": gettext_lazy("Change the refund limit per colleague and day"),
        "approval_above": gettext_lazy("Change the amount above which a colleague approves refunds"),
        "adjust_limit_per_action": gettext_lazy("Change the adjustment limit at once"),
        "adjust_limit_per_actor": gettext_lazy("Change the adjustment limit per colleague and day"),
        "counter_limit_per_sale": gettext_lazy("Change the limit of a counter sale"),
        "counter_limit": gettext_lazy("Change the counter limit per customer and day"),
        "counter_limit_per_actor": gettext_lazy("Change the counter limit per colleague and day"),
    }
    """The labels of the limits that have one of their own, by field."""

    def format_message(self, log_entry: Any) -> str:
        label = self.labels.get(log_entry.data.get("field", ""), self.label)
        return f"{label}: {self.format_data(log_entry.data)}"

    def format_data(self, data: dict[str, Any]) -> str:
        return " → ".join(self._limit(data.get(which)) for which in ("old", "new"))

    def _limit(self, limit: int | None) -> str:
        return _("no limit") if limit is None else self.format_limit(limit)

    def format_limit(self, limit: int) -> str:
        return npr(Paisa(limit))


class AdjustLimitChanged(RefundLimitChanged):
    label: Any = gettext_lazy("Change the adjustment limit")

    def format_limit(self, limit: int) -> str:
        return formats.number(limit)


class RulesChangeFormatter(LogFormatter):
    label: Any = gettext_lazy("Change the loyalty rules")

    def format_message(self, log_entry: Any) -> str:
        changes = "; ".join(log_entry.data.get("changes", []))
        version = _("version %(number)s") % {"number": log_entry.data.get("version", "")}
        return f"{self.label} ({version}): {changes}"


class CampaignFormatter(DataFormatter):
    def format_data(self, data: dict[str, Any]) -> str:
        values = {"name": data.get("name", ""), "number": data.get("version", "")}
        return _("%(name)s (rules version %(number)s)") % values


class ListExported(LogFormatter):
    label: Any = gettext_lazy("Export a list")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        chosen = ", ".join(f"{name}: {value}" for name, value in data.get("filters", {}).items() if value)
        values = {"list": log_entry.label, "format": data.get("format", "").upper(), "filters": chosen or _("none")}
        return _("Exported %(list)s as %(format)s; filters: %(filters)s") % values


def register(actions: LogActionRegistry) -> None:
    """Register the texts of the site history. No text contains a name or a key."""
    formatters = {
        EXPORTED: ListExported,
        settings.KEY_SAVED: KeySaved,
        settings.KEY_REMOVED: KeyRemoved,
        settings.ENVIRONMENT_CHANGED: EnvironmentChanged,
        settings.SWITCHED: KhaltiSwitched,
        rules.RULES_CHANGED: RulesChangeFormatter,
        limits.REFUND_LIMIT_CHANGED: RefundLimitChanged,
        limits.ADJUST_LIMIT_CHANGED: AdjustLimitChanged,
        **{
            action: type("CampaignAction", (CampaignFormatter,), {"label": label})
            for action, label in campaigns.LOG_LABELS.items()
        },
    }
    for action, formatter in formatters.items():
        actions.register_action(action)(formatter)
