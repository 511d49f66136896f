"""What ``loyalink_doctor`` has found: a sentence about one topic, how bad it is, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """``PROBLEM``: customers or money are affected, or will be. ``WARNING``: look at it."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor's."""

    topic: str
    severity: Severity
    text: str
    hint: str = ""
    """What to do, "" where nothing is to be done."""


def ok(topic: str, text: str) -> Finding:
    """Return that a part is as it should be."""
    return Finding(topic=topic, severity=Severity.OK, text=text)


def warn(topic: str, text: str, hint: str) -> Finding:
    """Return what to look at."""
    return Finding(topic=topic, severity=Severity.WARNING, text=text, hint=hint)


def problem(topic: str, text: str, hint: str) -> Finding:
    """Return what affects customers or money."""
    return Finding(topic=topic, severity=Severity.PROBLEM, text=text, hint=hint)
