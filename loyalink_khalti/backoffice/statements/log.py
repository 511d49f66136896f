"""What staff do with statements in Wagtail's site history: figures alone, never an id or a name of a customer."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.log_actions import LogActionRegistry, LogFormatter, log

from loyalink_khalti.conf import formats
from loyalink_khalti.payments.statements import (
    Decision,
    DifferenceKind,
    SettledDay,
    Statement,
    StatementDecision,
)

MATCHED = "loyalink_khalti.statement_matched"
TAKEN_BACK = "loyalink_khalti.statement_taken_back"
DECIDED = "loyalink_khalti.statement_decided"
SETTLED = "loyalink_khalti.day_settled"
UNDONE = "loyalink_khalti.day_unsettled"


def record_match(statement: Statement) -> None:
    """Log that the current user has matched a statement."""
    data = {"rows": statement.rows, "known": statement.known_rows}
    log(instance=statement, action=MATCHED, title=statement.name, data=data)


def record_take_back(user: Any, statement: Statement) -> None:
    """Log that the current user has taken a statement back: its row is gone, so the entry is of the user."""
    log(instance=user, action=TAKEN_BACK, title=statement.name, data={"rows": statement.rows})


def record_decision(decision: StatementDecision) -> None:
    """Log what the current user has decided."""
    difference = decision.difference
    data = {"decision": decision.decision, "kind": difference.kind, "day": difference.day.isoformat()}
    log(instance=difference, action=DECIDED, title=str(difference.get_kind_display()), data=data)


def record_day(row: SettledDay) -> None:
    """Log that the current user has settled a day, or undone that."""
    action = SETTLED if row.is_settled else UNDONE
    log(instance=row, action=action, title=formats.day(row.day), data={"day": row.day.isoformat()})


class _Matched(LogFormatter):
    label: Any = gettext_lazy("Match a statement")

    def format_message(self, log_entry: Any) -> str:
        values = {name: formats.number(log_entry.data.get(name, 0)) for name in ("rows", "known")}
        return _("Matched a statement: rows: %(rows)s, known before: %(known)s") % values


class _TakenBack(LogFormatter):
    label: Any = gettext_lazy("Take back a statement")

    def format_message(self, log_entry: Any) -> str:
        values = {"rows": formats.number(log_entry.data.get("rows", 0)), "name": log_entry.label}
        return _("Took back the statement %(name)s: rows: %(rows)s") % values


class _Decided(LogFormatter):
    label: Any = gettext_lazy("Decide a difference of a statement")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        kind, decision = dict(DifferenceKind.choices), dict(Decision.choices)
        return f"{kind.get(data.get('kind'), '')}: {decision.get(data.get('decision'), '')}"


class _Settled(LogFormatter):
    label: Any = gettext_lazy("Settle a day")

    def format_message(self, log_entry: Any) -> str:
        return f"{self.label}: {log_entry.label}"


class _Undone(_Settled):
    label: Any = gettext_lazy("Undo a settled day")


def register(actions: LogActionRegistry) -> None:
    """Register the texts of the site history."""
    formatters = {MATCHED: _Matched, TAKEN_BACK: _TakenBack, DECIDED: _Decided, SETTLED: _Settled, UNDONE: _Undone}
    for action, formatter in formatters.items():
        actions.register_action(action)(formatter)
