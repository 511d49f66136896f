"""Where Django looks for models; each lives in its own room."""

from loyalink_khalti.loyalty.program import CategoryName, FormerTag, Program, ProgramVersion

from .api.models import ApiRequest
from .backoffice.models import Campaign, InvoiceSettings, KhaltiSettings, LoyaltySettings, SavedFilter, ShopDetails
from .conf.sites import SiteKey
from .loyalty.counter_codes import CounterCode
from .loyalty.models import (
    Account,
    Allocation,
    Entry,
    EntryNote,
    Hold,
    IdempotencyKey,
    Lot,
)
from .loyalty.months import AwardedMonth, MonthlyTotal
from .loyalty.orders import OrderAward, OrderRedemption, RefundApplied
from .loyalty.terms import MembershipEvent, TermsText
from .mail_rows import MailPreference, SentMail
from .outbox import Message
from .payments.cancelled_orders import CancelledOrder
from .payments.counter_sales import CounterRefund, CounterSale
from .payments.daily_close import DailyClose
from .payments.flag_entries import FlagEntry
from .payments.invoices import Invoice, InvoicePrint, InvoiceSeries
from .payments.job_runs import LastRun
from .payments.missing_orders import MissingOrder
from .payments.models import Credentials, Flag, Payment, Purchase, Refund
from .payments.notes import PurchaseNote
from .payments.received import ReceivedMoney
from .payments.refund_approvals import RefundApproval
from .payments.servers import KhaltiServer
from .payments.statements import (
    SettledDay,
    Statement,
    StatementDecision,
    StatementDifference,
    StatementFormat,
    StatementRow,
)
from .payments.unmatched import UnmatchedPayment
from .points_choices import PointsChoice

__all__ = [
    "Account",
    "Allocation",
    "ApiRequest",
    "AwardedMonth",
    "Campaign",
    "CancelledOrder",
    "CategoryName",
    "CounterCode",
    "CounterRefund",
    "CounterSale",
    "Credentials",
    "DailyClose",
    "Entry",
    "EntryNote",
    "Flag",
    "FlagEntry",
    "FormerTag",
    "Hold",
    "IdempotencyKey",
    "Invoice",
    "InvoicePrint",
    "InvoiceSeries",
    "InvoiceSettings",
    "KhaltiServer",
    "KhaltiSettings",
    "LastRun",
    "Lot",
    "LoyaltySettings",
    "MailPreference",
    "MembershipEvent",
    "Message",
    "MissingOrder",
    "MonthlyTotal",
    "OrderAward",
    "OrderRedemption",
    "Payment",
    "PointsChoice",
    "Program",
    "ProgramVersion",
    "Purchase",
    "PurchaseNote",
    "ReceivedMoney",
    "Refund",
    "RefundApplied",
    "RefundApproval",
    "SavedFilter",
    "SentMail",
    "SettledDay",
    "ShopDetails",
    "SiteKey",
    "Statement",
    "StatementDecision",
    "StatementDifference",
    "StatementFormat",
    "StatementRow",
    "TermsText",
    "UnmatchedPayment",
]
