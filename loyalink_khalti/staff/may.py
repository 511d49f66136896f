"""What staff may do, by the permissions of Django that say so, and the two groups that a shop begins with.

Settings may be edited per site, as Wagtail's own; everything else holds for the whole shop.
"""

from typing import Any

_APP = "loyalink_khalti"

VIEW_PAYMENTS = f"{_APP}.view_payment"
EXPORT_PAYMENTS = f"{_APP}.export_payment"
REFUND = f"{_APP}.change_refund"
REFUND_BEYOND_LIMIT = f"{_APP}.refund_beyond_limit"
DECIDE = f"{_APP}.change_flag"
VIEW_MEMBERS = f"{_APP}.view_account"
CHANGE_MEMBERS = f"{_APP}.change_account"
"""Freeze and merge."""
ERASE_MEMBERS = f"{_APP}.delete_account"
ADJUST = f"{_APP}.adjust_account"
ADJUST_BEYOND_LIMIT = f"{_APP}.adjust_beyond_limit"
EXPORT_MEMBERS = f"{_APP}.export_account"
VIEW_BOOKS = f"{_APP}.view_entry"
"""The reports about points."""
KHALTI_SETTINGS = f"{_APP}.change_khaltisettings"
LOYALTY_SETTINGS = f"{_APP}.change_loyaltysettings"
"""With the campaigns."""

ALL = (
    VIEW_PAYMENTS, EXPORT_PAYMENTS, REFUND, REFUND_BEYOND_LIMIT, DECIDE, VIEW_MEMBERS, CHANGE_MEMBERS, ERASE_MEMBERS,
    ADJUST, ADJUST_BEYOND_LIMIT, EXPORT_MEMBERS, VIEW_BOOKS,
)  # fmt: skip
"""Those for the whole shop; Wagtail itself lists those of the settings."""

EDITORS, ACCOUNTANTS = "Shop editors", "Shop accountants"
"""The groups that a migration makes; from then on they are the shop's own to change."""


def may(user: Any, permission: str) -> bool:
    """Whether an active member of staff has a permission."""
    return bool(user.is_active and user.has_perm(permission))
