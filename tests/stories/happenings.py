"""What can happen in a story, and how often; what each verb needs to find at Khalti, and what goes wrong there."""

from typing import Any

from loyalink_khalti.simulator import State

VERBS = {
    "buy": 6,
    "pay": 4,
    "pay_and_close_the_tab": 3,
    "cancel": 2,
    "come_back": 5,
    "start_again": 2,
    "khalti_expires_it": 1,
    "khalti_fails_it": 1,
    "khalti_keeps_it_pending": 1,
    "khalti_completes_it_late": 2,
    "a_fault_waits": 5,
    "staff_refund": 3,
    "staff_receive": 1,
    "khalti_refunds": 1,
    "the_reconciler_runs": 1,
    "the_server_is_killed": 1,
}
"""What can happen, and how often."""
CHOICES = [name for name, weight in VERBS.items() for _ in range(weight)]
OPEN = {State.INITIATED, State.PENDING}
STATES = {
    "pay": {State.INITIATED},
    "pay_and_close_the_tab": {State.INITIATED},
    "cancel": {State.INITIATED},
    "come_back": set(State),
    "start_again": OPEN,
    "khalti_expires_it": OPEN,
    "khalti_fails_it": OPEN,
    "khalti_keeps_it_pending": {State.INITIATED},
    "khalti_completes_it_late": {State.EXPIRED, State.CANCELED, State.FAILED, State.PENDING},
    "khalti_refunds": {State.COMPLETED, State.PART_REFUNDED},
}
"""What each verb needs to find at Khalti."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "503"},
    {"kind": "503", "after": True},
    {"kind": "drop"},
    {"kind": "drop", "after": True},
    {"kind": "garbage"},
    {"kind": "garbage", "after": True},
    {"kind": "hang", "seconds": 0.3},
    {"kind": "cut"},
    {"kind": "429", "seconds": 1},
)
LIES = ("not_yet", "wrong_amount", "no_transaction_id", "unknown_status")
FORGED = ("?status=Completed&pidx=somebody-elses", "?status=User%20canceled", "/?amount=1&a=%00&status=Completed", "")
