"""The Django permissions that staff pages check, and the two groups that a migration creates.

The permissions of settings may be granted for one Wagtail site; all others hold for the whole shop.
"""

from typing import Any

_APP = "loyalink_khalti"

VIEW_PAYMENTS = f"{_APP}.view_payment"
EXPORT_PAYMENTS = f"{_APP}.export_payment"
REFUND = f"{_APP}.change_refund"
REFUND_BEYOND_LIMIT = f"{_APP}.refund_beyond_limit"
APPROVE_REFUNDS = f"{_APP}.approve_refund"
"""Approve or reject a refund that a colleague has requested."""
RECORD_RECEIVED = f"{_APP}.record_received"
"""Record cash and bank transfers that have arrived, and correct such records."""
ADD_NOTES = f"{_APP}.add_purchasenote"
"""Write notes on orders and payments."""
RESOLVE_FLAGS = f"{_APP}.change_flag"
"""Resolve flags, and refresh the status of a payment."""
RECORD_OUTCOME = f"{_APP}.record_outcome"
"""Record, with ``RESOLVE_FLAGS``, that Khalti's dashboard shows a payment as paid or not paid."""
VIEW_MEMBERS = f"{_APP}.view_account"
CHANGE_MEMBERS = f"{_APP}.change_account"
"""Block and merge members."""
ERASE_MEMBERS = f"{_APP}.delete_account"
ADJUST_POINTS = f"{_APP}.adjust_account"
ADJUST_BEYOND_LIMIT = f"{_APP}.adjust_beyond_limit"
EXPORT_MEMBERS = f"{_APP}.export_account"
VIEW_ENTRIES = f"{_APP}.view_entry"
"""The reports about points."""
CLOSE_DAY = f"{_APP}.close_day"
"""Count the cash at the end of a day."""
USE_COUNTER = f"{_APP}.use_counter"
"""Give and redeem points for sales in the shop."""
COUNTER_BEYOND_LIMIT = f"{_APP}.counter_beyond_limit"
MATCH_STATEMENTS = f"{_APP}.match_statement"
"""Upload statements, decide their differences and settle days; ``VIEW_PAYMENTS`` shows them."""
KHALTI_SETTINGS = f"{_APP}.change_khaltisettings"
KHALTI_KEY = f"{_APP}.change_secret_key"
"""Change the secret key and the environment, with ``KHALTI_SETTINGS``. No default group has it."""
LOYALTY_SETTINGS = f"{_APP}.change_loyaltysettings"
"""The loyalty rules and the campaigns."""
SHOP_DETAILS = f"{_APP}.change_shopdetails"
"""The shop's name, logo and bank account, and its e-mails to customers."""
VIEW_INVOICES = f"{_APP}.view_invoice"
"""See and print invoices and credit notes."""
ISSUE_INVOICES = f"{_APP}.issue_invoice"
EXPORT_INVOICES = f"{_APP}.export_invoice"
"""Export the sales register."""
INVOICE_SETTINGS = f"{_APP}.change_invoicesettings"
"""The PAN of the shop and how invoices are issued."""

ALL = (
    VIEW_PAYMENTS, EXPORT_PAYMENTS, REFUND, REFUND_BEYOND_LIMIT, APPROVE_REFUNDS, RECORD_RECEIVED, RESOLVE_FLAGS,
    RECORD_OUTCOME, VIEW_MEMBERS, CHANGE_MEMBERS, ERASE_MEMBERS, ADJUST_POINTS, ADJUST_BEYOND_LIMIT, EXPORT_MEMBERS,
    VIEW_ENTRIES, KHALTI_KEY, USE_COUNTER, COUNTER_BEYOND_LIMIT, ADD_NOTES, CLOSE_DAY,
    VIEW_INVOICES, ISSUE_INVOICES, EXPORT_INVOICES, MATCH_STATEMENTS,
)  # fmt: skip
"""The permissions for the whole shop. Wagtail lists those of the settings itself."""

EDITORS, ACCOUNTANTS = "Shop editors", "Shop accountants"
"""The groups that a migration creates; from then on the shop changes them."""


def has_permission(user: Any, permission: str) -> bool:
    """Return whether an active user has a permission."""
    return bool(user.is_active and user.has_perm(permission))
