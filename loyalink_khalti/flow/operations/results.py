"""What a pass of the reconciler says of each payment, and of all together."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Outcome


class PassLabel(StrEnum):
    """What a pass says of a payment, beside the outcomes of purchases."""

    FAILED = "failed (see the log)"
    NOT_LOOKED_UP = "not looked up: Khalti is not responding"
    NO_KEY = "not looked up: this process has no key"
    BUSY = "being looked up by another process"
    UNCHANGED = "unchanged"
    REFUNDED = "refunded at Khalti"


NOT_DONE = (PassLabel.FAILED, PassLabel.NOT_LOOKED_UP, PassLabel.NO_KEY, PassLabel.BUSY)
"""Of these payments a pass has learned nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """What a pass found about one payment; ``outcome`` is None where it could not look it up."""

    payment: Payment
    outcome: Outcome | None
    label: str
    """The outcome or a ``PassLabel``, for the summary."""


def pass_summary(labels: "Counter[str]") -> str:
    """Return in one line what a pass found: ``1 expired, 3 paid``."""
    if not labels:
        return "nothing to look up"
    return ", ".join(f"{number} {label}" for label, number in sorted(labels.items()))
