"""The public module of the points ledger: every verb, and everything that other rooms compute or read.

A verb moves points between buckets, in the caller's transaction, once. Repeating it with the same figures changes
nothing and returns the same answer; with other figures it raises ``LedgerConflict``. Points are whole numbers, values
are paisa.

Other rooms import this module. Beside it they import only ``models``, ``orders``, ``program`` and ``buckets`` (to read
rows), ``rules`` and ``validation`` (pure), ``reports`` and ``audit``. Faces change points through ``flow``; they call
a verb of this module only where there is neither a purchase nor a limit for staff: the rules and campaigns, and the
commands ``loyalty_import`` and ``loyalty_run``. ``docs/architecture.md`` has the whole rule.
"""

from .accounts import find_account, open_account, own_account, surviving_account
from .adjustments import (
    DEFAULT_BATCH,
    IMPORT,
    ImportedRow,
    ImportRow,
    adjust,
    import_key,
    import_points,
    imported_keys,
    lock_imports,
    set_blocked,
    was_adjusted,
)
from .card import (
    CardEntry,
    ExpiringPoints,
    PointsByDay,
    PointsCard,
    balance_card,
    card_entry,
    pending_by_day,
    points_by_expiry,
    points_card,
)
from .counter_codes import IssuedCode, check_counter_code, issue_counter_code, use_counter_code
from .earning import Earned, OrderSnapshot, award_signup_bonus, needs_history, order_history
from .expiry_notices import ExpiryNotice, accounts_to_notify, create_expiry_notice
from .history import HistoryLine, PointsHistory, newest_entries, points_history
from .lots import available_lots, with_overdue
from .members import erase, merge, personal_data
from .membership import LeavingPreview, Membership, accept_terms, leave, membership, preview_leaving
from .posting import overdue_points
from .preview import (
    AccountPreview,
    ErasurePreview,
    OrderExample,
    example_order,
    order_example,
    preview_adjustment,
    preview_award,
    preview_erasure,
    preview_merge,
)
from .program import (
    current_version,
    current_versions,
    get_version,
    lowest_tier,
    refund_rounding,
    revise_rules,
    set_campaigns,
    set_rules,
)
from .purchases import award, capture, hold, release
from .redeemable import PointsSteps, max_redeemable, nearest_redeemable, points_fit, redeemable_steps
from .refund_reversals import preview_reversal, reverse_refund
from .refunds import RefundedParts, RefundedPoints, preview_refund, refund
from .reopening import late_capture, set_aside, withdraw_award
from .rules import points_value
from .scheduled import FAILED, SweepResult, activate, count_due, expire, refresh_tier, sweep
from .standing import Standing, standing
from .unit_points import unit_points

__all__ = [
    "DEFAULT_BATCH",
    "FAILED",
    "IMPORT",
    "AccountPreview",
    "CardEntry",
    "Earned",
    "ErasurePreview",
    "ExpiringPoints",
    "ExpiryNotice",
    "HistoryLine",
    "ImportRow",
    "ImportedRow",
    "IssuedCode",
    "LeavingPreview",
    "Membership",
    "OrderExample",
    "OrderSnapshot",
    "PointsByDay",
    "PointsCard",
    "PointsHistory",
    "PointsSteps",
    "RefundedParts",
    "RefundedPoints",
    "Standing",
    "SweepResult",
    "accept_terms",
    "accounts_to_notify",
    "activate",
    "adjust",
    "available_lots",
    "award",
    "award_signup_bonus",
    "balance_card",
    "capture",
    "card_entry",
    "check_counter_code",
    "count_due",
    "create_expiry_notice",
    "current_version",
    "current_versions",
    "erase",
    "example_order",
    "expire",
    "find_account",
    "get_version",
    "hold",
    "import_key",
    "import_points",
    "imported_keys",
    "issue_counter_code",
    "late_capture",
    "leave",
    "lock_imports",
    "lowest_tier",
    "max_redeemable",
    "membership",
    "merge",
    "nearest_redeemable",
    "needs_history",
    "newest_entries",
    "open_account",
    "order_example",
    "order_history",
    "overdue_points",
    "own_account",
    "pending_by_day",
    "personal_data",
    "points_by_expiry",
    "points_card",
    "points_fit",
    "points_history",
    "points_value",
    "preview_adjustment",
    "preview_award",
    "preview_erasure",
    "preview_leaving",
    "preview_merge",
    "preview_refund",
    "preview_reversal",
    "redeemable_steps",
    "refresh_tier",
    "refund",
    "refund_rounding",
    "release",
    "reverse_refund",
    "revise_rules",
    "set_aside",
    "set_blocked",
    "set_campaigns",
    "set_rules",
    "standing",
    "surviving_account",
    "sweep",
    "unit_points",
    "use_counter_code",
    "was_adjusted",
    "with_overdue",
    "withdraw_award",
]
