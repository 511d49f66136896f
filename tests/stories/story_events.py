"""What can happen in a story and how often, the state at Khalti that each event needs, and Khalti's faults."""

from typing import Any

from loyalink_khalti.simulator import State

EVENTS = {
    "buy": 6,
    "pay": 4,
    "pay_and_close_the_tab": 3,
    "cancel": 2,
    "return_to_shop": 5,
    "cancel_in_shop": 2,
    "khalti_expires_it": 1,
    "khalti_fails_it": 1,
    "khalti_leaves_it_pending": 1,
    "khalti_completes_it_late": 2,
    "add_fault": 5,
    "staff_refund": 3,
    "staff_receive": 1,
    "khalti_refunds": 1,
    "run_reconciler": 1,
    "kill_server": 1,
}
"""Each event with its weight."""
CHOICES = [name for name, weight in EVENTS.items() for _ in range(weight)]
OPEN = {State.INITIATED, State.PENDING}
STATES = {
    "pay": {State.INITIATED},
    "pay_and_close_the_tab": {State.INITIATED},
    "cancel": {State.INITIATED},
    "return_to_shop": set(State),
    "cancel_in_shop": OPEN,
    "khalti_expires_it": OPEN,
    "khalti_fails_it": OPEN,
    "khalti_leaves_it_pending": {State.INITIATED},
    "khalti_completes_it_late": {State.EXPIRED, State.CANCELED, State.FAILED, State.PENDING},
    "khalti_refunds": {State.COMPLETED, State.PARTIALLY_REFUNDED},
}
"""The states at Khalti in which each event is possible."""
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
WRONG_ANSWERS = ("not_yet", "wrong_amount", "no_transaction_id", "unknown_status")
FORGED = (
    "?status=Completed&pidx=another-payments",
    "?status=User%20canceled",
    "/?amount=1&a=%00&status=Completed",
    "",
)
