"""Every exception that this package raises.

::

    LoyalinkError
    ├── KhaltiError                     a call to Khalti failed
    │   ├── KhaltiNotCalled             nothing was sent: the circuit breaker is open, or too many calls run
    │   ├── KhaltiUnreachable           no answer: the outcome is unknown
    │   │   └── KhaltiUnreadable        an answer outside Khalti's protocol: the outcome is unknown
    │   └── KhaltiRejected              Khalti refuses the request
    │       ├── KhaltiKeyRejected       401: the secret key is not valid on this server
    │       ├── KhaltiNotFound          no such pidx or transaction for this key
    │       └── KhaltiThrottled         429: too many requests
    ├── CannotPay                       the purchase cannot be paid this way
    │   ├── BasketTaken                 another click, or another payment, has this basket already
    │   ├── SoldOut                     a product is not available any more in that quantity
    │   ├── TotalChanged                it costs another amount than the customer has agreed to
    │   └── InvalidDetails              what the customer has sent cannot be used, by field
    ├── CannotRefund                    the refund cannot be made
    │   └── RefundLimitExceeded         more than this member of staff may refund of one order, or in a day
    │       └── ApprovalNeeded          more than anybody may refund without a second person
    ├── CannotRecord                    received money cannot be recorded or corrected like this
    ├── CannotSell                      the counter sale cannot be recorded like this
    │   ├── RepeatedBill                the number of the bill was used before on that day
    │   └── CounterLimitExceeded        more points than this member of staff may give or redeem at the counter
    ├── CannotMatch                     a statement cannot be matched, decided or settled like this
    ├── CannotResolve                   the flag cannot be resolved this way
    ├── CannotClaim                     this customer cannot claim the points of the order
    ├── CannotEraseData                 the customer's data cannot be erased yet
    ├── InsideTransaction               a function that commits was called inside a transaction
    ├── JobFailed                       a job has ended, and staff must look at what it found
    ├── ShopCannot                      the shop cannot do what the flow needs (for example: sold out)
    └── LedgerError                     the points cannot be changed
        ├── CannotAdjust                staff cannot adjust the points like this
        │   └── AdjustmentLimitExceeded more than this member of staff may adjust at once, or in a day
        ├── InsufficientPoints          the account has fewer points available
        ├── MemberLeft                  the member has left the programme, and gets no points
        ├── TermsChanged                the terms of the programme are not those that the customer has read
        ├── AccountBlocked              the account is blocked
        │   └── AccountMerged           the account was merged into another one, which has its points
        └── LedgerConflict              the idempotency key was used before with other figures

``SelfDealing`` is a ``CannotAdjust``, ``CannotRefund``, ``CannotRecord``, ``CannotResolve``, ``CannotMatch`` and
``CannotSell`` in one: staff may do nothing for their own account or order, and each page that shows why an action is
refused shows this, too.

"No answer" and "no" differ: after ``KhaltiUnreachable`` the call may have succeeded, so conclude nothing from it.
"""

import traceback
from collections.abc import Mapping, Sequence
from typing import Any


class LoyalinkError(Exception):
    """The base class of every exception of this package."""


class KhaltiError(LoyalinkError):
    """A call to Khalti failed."""


class KhaltiNotCalled(KhaltiError):
    """Nothing was sent: the circuit breaker is open, Khalti asks to wait, or too many calls are in progress."""


class KhaltiUnreachable(KhaltiError):
    """No answer: a timeout, a redirect or a 5xx. The outcome is unknown."""


class KhaltiUnreadable(KhaltiUnreachable):
    """An answer outside Khalti's protocol. The outcome is unknown.

    ``shape`` has the keys and JSON types of an answer of lookup, without its values; "" where it is no JSON.
    """

    def __init__(self, *args: object, shape: str = "") -> None:
        super().__init__(*args)
        self.shape = shape


class KhaltiRejected(KhaltiError):
    """Khalti refuses the request: a 4xx that is not one of lookup's ordinary answers.

    ``detail`` is the body: https://docs.khalti.com/khalti-epayment/#error-responses
    """

    def __init__(self, path: str, *, status_code: int, detail: Mapping[str, Any]) -> None:
        super().__init__(f"{status_code} from {path}")
        self.path = path
        self.status_code = status_code
        self.detail = dict(detail)

    @property
    def message(self) -> str:
        """Return Khalti's message, at most 500 characters: "amount: Amount should be greater than Rs. 10, …"."""
        return "; ".join(_sentences(self.detail))[:500] or str(self)


class KhaltiKeyRejected(KhaltiRejected):
    """401: the secret key is missing or not valid on this server.

    https://docs.khalti.com/khalti-epayment/#generic-errors
    """


class KhaltiNotFound(KhaltiRejected):
    """No such pidx or transaction for this key: https://docs.khalti.com/khalti-epayment/#generic-errors."""


class KhaltiThrottled(KhaltiRejected):
    """429; ``retry_after`` is in seconds, or None when Khalti does not say."""

    def __init__(
        self, path: str, *, status_code: int, detail: Mapping[str, Any], retry_after: float | None = None
    ) -> None:
        super().__init__(path, status_code=status_code, detail=detail)
        self.retry_after = retry_after


class CannotPay(LoyalinkError):
    """The purchase cannot be paid this way; ``str()`` is a sentence for the customer. Nothing is held."""


class BasketTaken(CannotPay):
    """Another payment has this basket already: a second click, or a second tab."""


class SoldOut(CannotPay):
    """A product in the basket is not available any more in that quantity."""


class TotalChanged(CannotPay):
    """The amount due is another one than the customer has seen and agreed to."""


class InvalidDetails(CannotPay):
    """What the customer has sent cannot be used; ``fields`` has the sentences for each field, "" for all of it."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__(" ".join(sentence for sentences in fields.values() for sentence in sentences))
        self.fields = {name: list(sentences) for name, sentences in fields.items()}


class CannotRefund(LoyalinkError):
    """The refund cannot be made; ``str()`` is a sentence for staff. Nothing was sent."""


class RefundLimitExceeded(CannotRefund):
    """The refund exceeds a limit of this member of staff, per order or per day. A permission lifts the limits."""


class ApprovalNeeded(RefundLimitExceeded):
    """The refund needs a second person, whatever the permissions of the first: request it instead."""


class CannotRecord(LoyalinkError):
    """Received money cannot be recorded or corrected like this; ``str()`` is a sentence for staff. Nothing changed."""


class CannotClose(LoyalinkError):
    """The day cannot be closed like this; ``str()`` is a sentence for staff. Nothing has changed."""


class CannotInvoice(LoyalinkError):
    """The invoice cannot be issued; ``str()`` is a sentence for staff. No number was taken."""


class CannotMatch(LoyalinkError):
    """The statement, its difference or its day cannot be handled so; ``str()`` is a sentence for staff."""


class CannotResolve(LoyalinkError):
    """The flag cannot be resolved this way; ``str()`` is a sentence for staff. Nothing has changed."""


class CannotSell(LoyalinkError):
    """The counter sale cannot be recorded like this; ``str()`` is a sentence for staff. Nothing has changed.

    ``field`` names what was typed wrong; "" for the sale as a whole.
    """

    def __init__(self, message: str = "", *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class RepeatedBill(CannotSell):
    """A sale with this number of a bill was recorded on that day: staff confirm that it is another one."""


class CounterLimitExceeded(CannotSell):
    """More points than this member of staff may give or redeem at once or in a day. A permission lifts the limits."""


class CannotClaim(LoyalinkError):
    """This customer cannot claim the points of the order; ``str()`` is a sentence for them."""


class CannotEraseData(LoyalinkError):
    """The customer's data cannot be erased while a payment or refund is open; ``str()`` names it."""


class InsideTransaction(LoyalinkError):
    """A function that commits by itself was called inside a transaction."""


class JobFailed(LoyalinkError):
    """A job has ended, and staff must look at what it found; ``str()`` says what. What it has done stays done."""


class ShopCannot(LoyalinkError):
    """The shop cannot do what the flow needs; ``reason`` is a reason of a Flag (``sold_out``, ``order_missing``)."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class LedgerError(LoyalinkError):
    """The points cannot be changed like this. Nothing has changed."""


class CannotAdjust(LedgerError):
    """Staff cannot adjust the points like this; ``str()`` is a sentence for them. Nothing has changed."""


class AdjustmentLimitExceeded(CannotAdjust):
    """More points than this member of staff may adjust or merge at once or in a day. A permission lifts the limits."""


class SelfDealing(
    CannotAdjust, CannotRefund, CannotRecord, CannotInvoice, CannotResolve, CannotEraseData, CannotSell, CannotMatch
):  # fmt: skip
    """The action is for the actor's own account or order; ``str()`` is a sentence for staff. Nothing has changed."""


class InsufficientPoints(LedgerError):
    """The account has fewer points available than requested."""


class MemberLeft(LedgerError):
    """The member has left the programme, and gets no points."""


class TermsChanged(LedgerError):
    """The terms of the programme are not those that the customer has read."""


class AccountBlocked(LedgerError):
    """The account is blocked."""


class AccountMerged(AccountBlocked):
    """The account was merged into another one, which has its points: this one can neither use nor earn any."""


class LedgerConflict(LedgerError):
    """The idempotency key was used before with other figures."""


def safe_trace(exc: BaseException) -> str:
    """Return the type and the call stack of an exception, without its message, which may contain personal data.

    ``IntegrityError in execute (utils.py:105), called by save (models.py:44), …``, innermost frames first.
    """
    frames = traceback.extract_tb(exc.__traceback__)[::-1][:8]
    calls = ", called by ".join(
        f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})" for frame in frames
    )
    return f"{type(exc).__name__} in {calls}" if calls else type(exc).__name__


def _sentences(detail: Any, name: str = "") -> list[str]:
    """Return the messages of Khalti's error bodies: strings, lists and nested objects under any key."""
    if isinstance(detail, Mapping):
        return [
            sentence
            for key, value in detail.items()
            if key not in {"error_key", "status_code"}
            for sentence in _sentences(value, key if key not in {"detail", "non_field_errors"} else "")
        ]
    if isinstance(detail, list | tuple):
        return [sentence for value in detail for sentence in _sentences(value, name)]
    return [f"{name}: {detail}" if name else str(detail)]
