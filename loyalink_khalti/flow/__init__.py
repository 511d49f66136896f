"""The flow: a purchase enters on one side and leaves as one paid order and one award of points.

The story of a purchase, in the order in which its verbs are called::

    quote             what the purchase earns, what it can redeem, what is left to pay; writes nothing
    begin_payment     the shop freezes its basket into a Cart; Purchase, Payment and held points are committed;
                      then Khalti opens a payment page, and the customer is redirected there
    verify_payment    Khalti's lookup says what became of the payment. Paid: in one transaction the shop confirms the
                      order, the held points are captured and new ones awarded. Not paid: everything held is released
    cancel_payment    the customer cancels a pending payment; lookup comes first
    place_order       the same without Khalti: points cover everything, cash on delivery, bank transfer
    record_received   cash or a transfer has arrived, in full or a part: once it is all, the points are awarded
    claim_points      a guest who has made an account since gets the points of their order
    create_account    a guest makes one of an order, by a mail to its address, and gets the order with its points

    record_counter_sale    a sale in the shop itself gives points, and takes points that a code of the card frees
    claim_counter_sale     who had no account then gets its points by the code of the receipt
    refund_counter_sale    money over the counter, points both ways

    refund_order      money by Khalti, stock by the shop, points by the ledger; in full or in part
    refund_payment    the money of a payment that bought nothing
    request_order_refund    a second person must approve it: approve_refund refunds it, reject_refund does not
    record_refund     a refund that was made outside, in Khalti's dashboard; order and points follow
    reverse_refund    a refund that was recorded and not made is taken back, by another row
    refresh_payment   staff look up one payment now
    follow_cancellation    the shop has cancelled an order by itself: it is cancelled here too, or staff decide
    resolve_flag      staff decide what no rule decides: place the order, accept, refund, close; and may answer again
    keep_return       a return with a pidx that no payment here has is kept; the reconciler looks it up
    attach_unmatched  staff make such money a payment of an order (or refund_unmatched, or dismiss_unmatched)

    close_day         the cash of a day is counted, beside what the takings expect
    match_statement   the rows of a bank's or Khalti's file are matched with payments; nothing of ours changes
    explain_difference, attach_row    staff decide what differs
    settle_day        staff mark a day without differences

    reconcile         look up every payment whose customer did not return
    program_terms     the rules of the points as sentences for customers, with a version
    notify_expiring   notify members whose points expire soon
    run_points        what points do on their dates: activate, expire, tiers, notices
    issue_invoice     the invoice of an order, once, and credit notes for its refunds; by itself, or by staff
    receipt           what a customer sees of an order: its state, its figures and its course
    audit, health     check every invariant; report whether the jobs run

``verify_payment`` is called by the return page, the status page, the reconciler and staff alike, any number of times,
in any order, by any number of processes. Only lookup's answer makes a Khalti payment paid, or staff, marked as their
word, where no lookup can tell (``Resolution.RECORD_PAID``):
https://docs.khalti.com/khalti-epayment/#payment-verification-lookup

What staff do is refused for their own account or order, whatever their permissions: ``forbid_self_dealing``.

Every verb that writes money commits by itself and raises ``InsideTransaction`` when it is called inside a transaction.
Adjustments of points run in the caller's transaction.

Faces (hosts, storefront, desk, commands) change purchases, payments, refunds and flags through this module
alone, and import no module below it. To show something they may read models, states, labels, reports, the reads of
``payments.refunds`` and those of ``loyalty.ledger``. ``docs/architecture.md`` has the whole rule, under "Rooms".
"""

# The order of the imports is that of the story.
# isort: off
from loyalink_khalti.flow.checkout.quote import (
    PointsDoNotFit,
    Quote,
    khalti_unavailable_reason,
    quote,
)
from loyalink_khalti.flow.checkout.begin_payment import begin_payment
from loyalink_khalti.flow.checkout.unpaid import (
    PaymentPending,
    ReservedTooMuch,
    TooManyAttempts,
    live_payment_of,
    unfinished_payments,
    unpaid_purchases,
)
from loyalink_khalti.flow.verification.verify import cancel_payment, verify_payment
from loyalink_khalti.flow.verification.refresh import RefreshResult, refresh_payment
from loyalink_khalti.flow.verification.unmatched import keep_return, look_up_unmatched
from loyalink_khalti.flow.checkout.place_order import place_order
from loyalink_khalti.flow.checkout.received import (
    ReceivedResult,
    apply_received,
    mark_received,
    record_received,
    refund_surplus,
    reverse_received,
)

from loyalink_khalti.flow.receipts.as_json import to_json as receipt_json
from loyalink_khalti.flow.receipts.facts import Charge, OrderFacts
from loyalink_khalti.flow.receipts.listed import OrderRow, in_states, order_rows
from loyalink_khalti.flow.receipts.receipt import Receipt, Transfer, receipt, receipt_for, receipts, receipts_for
from loyalink_khalti.flow.receipts.states import ReceiptState

from loyalink_khalti.flow.invoices.document import Buyer, buyer_of
from loyalink_khalti.flow.invoices.issue import invoice_obstacle, is_printed_long_ago, issue_invoice, record_print

from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing, mailbox_of, self_dealing_obstacle
from loyalink_khalti.flow.refunds.approvals import (
    approve_refund,
    open_request,
    reject_refund,
    request_order_refund,
    request_payment_refund,
    request_surplus_refund,
)
from loyalink_khalti.flow.refunds.checks import stale_form_message
from loyalink_khalti.flow.refunds.limits import approval_obstacle, refund_limit_obstacle
from loyalink_khalti.flow.refunds.order import (
    RefundQuote,
    apply_refund,
    points_value_restored,
    quote_refund,
    refund_order,
)
from loyalink_khalti.flow.refunds.payment import refund_payment
from loyalink_khalti.flow.refunds.record import check_refund_day, quote_recorded_refund, record_refund
from loyalink_khalti.flow.refunds.reversal import is_reversible, quote_reversal, reverse_refund
from loyalink_khalti.flow.review.cancelled_orders import (
    close_cancelled_order,
    follow_cancellation,
    notice_cancelled_orders,
)
from loyalink_khalti.flow.review.missing_orders import close_missing_order, is_missing, notice_missing_orders
from loyalink_khalti.flow.review.notes import NoteResult, add_note
from loyalink_khalti.flow.review.options import RECORDED, Resolution, refund_in_question, resolution_options
from loyalink_khalti.flow.review.resolve import resolve_flag
from loyalink_khalti.flow.review.uncollected import (
    UncollectedCustomer,
    collected_of,
    uncollected_before,
    uncollected_customers,
)
from loyalink_khalti.flow.review.unmatched import (
    attach_obstacle,
    attach_unmatched,
    dismiss_unmatched,
    purchases_named,
    refund_unmatched,
    reopen_unmatched,
)

from loyalink_khalti.loyalty.ledger import PointsCard, Standing, points_card
from loyalink_khalti.flow.program.categories import category_names, remember_categories
from loyalink_khalti.flow.program.standing import order_points, points_for_lines, standing, unit_points
from loyalink_khalti.flow.program.terms import ProgramTerms, TermsSection, TierTerms, program_terms, program_tiers
from loyalink_khalti.flow.members.adjustments import (
    adjust_points,
    adjustment_obstacle,
    held_message,
    merge_members,
    own_account,
    set_blocked,
    shortage_message,
)
from loyalink_khalti.flow.members.bulk import BulkChange, BulkRow, preview_points, upload_points
from loyalink_khalti.flow.members.card import MemberCard, member_card, member_history, points_after_order
from loyalink_khalti.flow.members.claim import (
    claim_path,
    claim_points,
    claimable_points,
    quote_claim,
    request_claim_mail,
)
from loyalink_khalti.flow.members.new_account import (
    AccountExists,
    AccountOffer,
    create_account,
    offer_account,
    offer_account_for,
    read_offer,
    request_account_mail,
)
from loyalink_khalti.flow.statements.candidates import named_payments, possible_payments
from loyalink_khalti.flow.statements.compare import check_again, check_differences, count_differences
from loyalink_khalti.flow.statements.decisions import ATTACHABLE, attach_row, explain_difference, reopen_difference
from loyalink_khalti.flow.statements.settling import StatementDay, settle_day, statement_days, undo_settled_day
from loyalink_khalti.flow.statements.upload import (
    CheckedLines,
    check_statement,
    discard_statement,
    headings_hash,
    keep_statement,
    match_statement,
    take_back_statement,
)
from loyalink_khalti.flow.counter.claims import (
    claim_after_verification,
    claim_by_mail,
    claim_counter_sale,
    claim_verified_sales,
    claimable_sales,
    renew_claim_code,
    request_counter_mail,
)
from loyalink_khalti.flow.counter.codes import NoCode, show_counter_code
from loyalink_khalti.flow.counter.customers import CounterCustomer, find_customer
from loyalink_khalti.flow.counter.receipt_text import receipt_line, receipt_lines, sales_of
from loyalink_khalti.flow.counter.refunds import (
    CounterRefundQuote,
    RecordedRefund,
    quote_counter_refund,
    refund_counter_sale,
)
from loyalink_khalti.flow.counter.sales import (
    CounterOrder,
    CounterQuote,
    RecordedSale,
    bill_number_of,
    quote_counter_sale,
    record_counter_sale,
)
from loyalink_khalti.flow.members.order_links import InvalidClaimLink
from loyalink_khalti.flow.members.data_privacy import (
    DataSubject,
    ErasedRows,
    erase_personal_data,
    export_personal_data,
    find_subject,
    guest_subject,
    member_subject,
)
from loyalink_khalti.flow.members.directory import (
    Contact,
    MemberAccount,
    affects_search,
    chunked,
    contacts,
    find_members,
    index_members,
    member_accounts,
    member_emails,
    reindex_member,
)
from loyalink_khalti.flow.members.expiry import notify_expiring
from loyalink_khalti.flow.members.holds import HeldPoints, held_points, newest_payments, purchases_of, with_payments
from loyalink_khalti.flow.members.membership import accept_terms, leave_program, membership, quote_leaving
from loyalink_khalti.flow.members.signup_bonus import award_signup_bonus
from loyalink_khalti.flow.notices.again import CannotMail, OrderMail, mails_of, send_mail_again
from loyalink_khalti.flow.notices.kinds import LABELS as MAIL_LABELS
from loyalink_khalti.flow.notices.kinds import LOYALTY as LOYALTY_MAILS
from loyalink_khalti.flow.notices.kinds import OCCASIONS as MAIL_OCCASIONS
from loyalink_khalti.flow.notices.kinds import MailKind
from loyalink_khalti.flow.notices.mailing import send_sample_mail
from loyalink_khalti.flow.notices.posting import order_placed as tell_order_placed
from loyalink_khalti.flow.notices.posting import order_shipped
from loyalink_khalti.flow.notices.posting import points_activated as tell_points_activated
from loyalink_khalti.flow.notices.posting import tier_reached as tell_tier_reached
from loyalink_khalti.flow.notices.preview import RefundMail, preview_refund_mail
from loyalink_khalti.flow.notices.recipients import remember_language
from loyalink_khalti.flow.notices.samples import sample_mail
from loyalink_khalti.flow.notices.unsubscribing import (
    InvalidMailLink,
    MailSubscription,
    mail_subscription,
    subscribe_to_mails,
    subscription_path,
)

from loyalink_khalti.flow.takings.close import Closed, close_day, counted_environment, day_takings
from loyalink_khalti.flow.operations.audit import Violation, audit, audit_rows, audit_violations
from loyalink_khalti.flow.operations.health import Health, health, missing_migrations, outages
from loyalink_khalti.flow.operations.doctor import diagnose, send_test_mail
from loyalink_khalti.flow.operations.findings import Finding, Severity
from loyalink_khalti.flow.operations.key_check import KEY_ACCEPTED, KEY_FAILED, KEY_UNDECIDED, KeyCheck, check_key
from loyalink_khalti.flow.operations.monitor import Item, Level, Report, recent_report
from loyalink_khalti.flow.operations.results import PassLabel, PassResult, pass_summary
from loyalink_khalti.flow.operations.reconcile import ReconcilerPass, reconcile, reconcile_one
from loyalink_khalti.flow.operations.processes import obstacle as process_obstacle
from loyalink_khalti.flow.operations.jobs import (
    NO_KEY,
    JobResult,
    reconcile_due,
    recorded_audit,
    run_audit,
    run_points,
)
from loyalink_khalti.flow.review.alerts import schedule_digest
from loyalink_khalti.flow.review.key_changes import (
    KeyChange,
    alert_key_change,
    alert_khalti_switched,
    alert_replaced_key,
)
from loyalink_khalti.flow.review.reminders import remind_staff
from loyalink_khalti.flow.review.outages import alert_outage, alert_outage_ended
from loyalink_khalti.flow.transactions import is_database_failure, missing_timeouts
# isort: on

__all__ = [
    "ATTACHABLE", "KEY_ACCEPTED", "KEY_FAILED", "KEY_UNDECIDED", "LOYALTY_MAILS", "MAIL_LABELS", "MAIL_OCCASIONS",
    "NO_KEY", "RECORDED", "AccountExists", "AccountOffer", "BulkChange", "BulkRow", "Buyer", "CannotMail",
    "Charge", "CheckedLines", "Closed", "Contact", "CounterCustomer", "CounterOrder", "CounterQuote",
    "CounterRefundQuote", "DataSubject", "ErasedRows", "Finding", "Health", "HeldPoints", "InvalidClaimLink",
    "InvalidMailLink", "Item", "JobResult", "KeyChange", "KeyCheck", "Level", "MailKind", "MailSubscription",
    "MemberAccount", "MemberCard", "NoCode", "NoteResult", "OrderFacts", "OrderMail", "OrderRow", "PassLabel",
    "PassResult", "PaymentPending", "PointsCard", "PointsDoNotFit", "ProgramTerms", "Quote", "Receipt",
    "ReceiptState", "ReceivedResult", "ReconcilerPass", "RecordedRefund", "RecordedSale", "RefreshResult",
    "RefundMail", "RefundQuote", "Report", "ReservedTooMuch", "Resolution", "Severity", "StaffAction", "Standing",
    "StatementDay", "TermsSection", "TierTerms", "TooManyAttempts", "Transfer", "UncollectedCustomer",
    "Violation", "accept_terms", "add_note", "adjust_points", "adjustment_obstacle", "affects_search",
    "alert_key_change", "alert_khalti_switched", "alert_outage", "alert_outage_ended", "alert_replaced_key",
    "apply_received", "apply_refund", "approval_obstacle", "approve_refund", "attach_obstacle", "attach_row",
    "attach_unmatched", "audit", "audit_rows", "audit_violations", "award_signup_bonus", "begin_payment",
    "bill_number_of", "buyer_of", "cancel_payment", "category_names", "check_again", "check_differences",
    "check_key", "check_refund_day", "check_statement", "chunked", "claim_after_verification", "claim_by_mail",
    "claim_counter_sale", "claim_path", "claim_points", "claim_verified_sales", "claimable_points",
    "claimable_sales", "close_cancelled_order", "close_day", "close_missing_order", "collected_of", "contacts",
    "count_differences", "counted_environment", "create_account", "day_takings", "diagnose", "discard_statement",
    "dismiss_unmatched", "erase_personal_data", "explain_difference", "export_personal_data", "find_customer",
    "find_members", "find_subject", "follow_cancellation", "forbid_self_dealing", "guest_subject",
    "headings_hash", "health", "held_message", "held_points", "in_states", "index_members", "invoice_obstacle",
    "is_database_failure", "is_missing", "is_printed_long_ago", "is_reversible", "issue_invoice", "keep_return",
    "keep_statement", "khalti_unavailable_reason", "leave_program", "live_payment_of", "look_up_unmatched",
    "mail_subscription", "mailbox_of", "mails_of", "mark_received", "match_statement", "member_accounts",
    "member_card", "member_emails", "member_history", "member_subject", "membership", "merge_members",
    "missing_migrations", "missing_timeouts", "named_payments", "newest_payments", "notice_cancelled_orders",
    "notice_missing_orders", "notify_expiring", "offer_account", "offer_account_for", "open_request",
    "order_points", "order_rows", "order_shipped", "outages", "own_account", "pass_summary", "place_order",
    "points_after_order", "points_card", "points_for_lines", "points_value_restored", "possible_payments",
    "preview_points", "preview_refund_mail", "process_obstacle", "program_terms", "program_tiers",
    "purchases_named", "purchases_of", "quote", "quote_claim", "quote_counter_refund", "quote_counter_sale",
    "quote_leaving", "quote_recorded_refund", "quote_refund", "quote_reversal", "read_offer", "receipt",
    "receipt_for", "receipt_json", "receipt_line", "receipt_lines", "receipts", "receipts_for", "recent_report",
    "reconcile", "reconcile_due", "reconcile_one", "record_counter_sale", "record_print", "record_received",
    "record_refund", "recorded_audit", "refresh_payment", "refund_counter_sale", "refund_in_question",
    "refund_limit_obstacle", "refund_order", "refund_payment", "refund_surplus", "refund_unmatched",
    "reindex_member", "reject_refund", "remember_categories", "remember_language", "remind_staff",
    "renew_claim_code", "reopen_difference", "reopen_unmatched", "request_account_mail", "request_claim_mail",
    "request_counter_mail", "request_order_refund", "request_payment_refund", "request_surplus_refund",
    "resolution_options", "resolve_flag", "reverse_received", "reverse_refund", "run_audit", "run_points",
    "sales_of", "sample_mail", "schedule_digest", "self_dealing_obstacle", "send_mail_again", "send_sample_mail",
    "send_test_mail", "set_blocked", "settle_day", "shortage_message", "show_counter_code", "stale_form_message",
    "standing", "statement_days", "subscribe_to_mails", "subscription_path", "take_back_statement",
    "tell_order_placed", "tell_points_activated", "tell_tier_reached", "uncollected_before",
    "uncollected_customers", "undo_settled_day", "unfinished_payments", "unit_points", "unpaid_purchases",
    "upload_points", "verify_payment", "with_payments",
]  # fmt: skip
