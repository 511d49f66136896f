"""Everything that this package raises, on one page.

::

    LoyalinkError
    ├── KhaltiError                 Khalti and what it said, or did not
    │   ├── KhaltiNotAsked          nothing was sent: it has not been answering, or too many calls are under way
    │   ├── KhaltiUnreachable       no answer: the outcome is unknown
    │   │   └── KhaltiUnreadable    an answer that is not in Khalti's protocol: as good as none
    │   └── KhaltiRejected          a "no", in Khalti's words
    │       ├── KhaltiKeyRejected   401: the secret key is not valid on this server
    │       ├── KhaltiNotFound      no such pidx or transaction under this key
    │       └── KhaltiThrottled     429: come back later
    ├── CannotPay                   this purchase cannot be paid this way, in words for the shopper
    ├── CannotRefund                this refund cannot be made, in words for staff
    │   └── RefundBeyondLimit       more than this member of staff may give back of one order
    ├── CannotDecide                staff cannot do this about a payment, in words for them
    ├── CannotClaim                 the points of this order cannot be claimed, in words for the shopper
    ├── CannotErase                 this payer cannot be forgotten yet, in words for staff
    ├── InsideTransaction           a verb that must commit by itself was called inside a transaction
    ├── ShopCannot                  the shop cannot do what it was asked (sold out, say)
    └── LedgerError                 the points cannot be moved
        ├── CannotAdjust            staff cannot do this to a member's points, in words for them
        │   └── BeyondLimit         more than this member of staff may move of one member in a day
        ├── Insufficient            fewer points than asked for
        ├── Frozen                  the account is frozen
        └── Conflict                the same cause once more, with other figures

"No answer" and "no" differ: after silence nobody knows what happened, so nothing is concluded from it.
"""

import traceback
from collections.abc import Mapping
from typing import Any


class LoyalinkError(Exception):
    """Whatever this package raises."""


class KhaltiError(LoyalinkError):
    """Khalti could not be asked, or said no."""


class KhaltiNotAsked(KhaltiError):
    """Nothing was sent: Khalti has not been answering, asks for patience, or too many calls are under way."""


class KhaltiUnreachable(KhaltiError):
    """No answer: silence, a redirect, a 5xx, or one that came after the deadline. The outcome is unknown."""


class KhaltiUnreadable(KhaltiUnreachable):
    """An answer outside Khalti's protocol; nothing may be concluded from it."""


class KhaltiRejected(KhaltiError):
    """Khalti said no: a 4xx that is not one of lookup's ordinary answers."""

    def __init__(self, path: str, *, status_code: int, detail: Mapping[str, Any]) -> None:
        super().__init__(f"{status_code} from {path}")
        self.path = path
        self.status_code = status_code
        self.detail = dict(detail)

    @property
    def words(self) -> str:
        """Khalti's own words, flattened and bounded: "amount: Amount should be greater than Rs. 10, …"."""
        return "; ".join(_sentences(self.detail))[:500] or str(self)


class KhaltiKeyRejected(KhaltiRejected):
    """401: "Invalid token." or no credentials."""


class KhaltiNotFound(KhaltiRejected):
    """ "Not found.": the pidx or transaction is not this key's."""


class KhaltiThrottled(KhaltiRejected):
    """429; ``retry_after`` is in seconds, None where Khalti did not say."""

    def __init__(
        self, path: str, *, status_code: int, detail: Mapping[str, Any], retry_after: float | None = None
    ) -> None:
        super().__init__(path, status_code=status_code, detail=detail)
        self.retry_after = retry_after


class CannotPay(LoyalinkError):
    """This purchase cannot be paid this way; ``str()`` is a sentence for the shopper, nothing is held."""


class CannotRefund(LoyalinkError):
    """This refund cannot be made; ``str()`` is a sentence for staff, nothing was sent."""


class RefundBeyondLimit(CannotRefund):
    """More than this member of staff may give back of one order, without another permission."""


class CannotDecide(LoyalinkError):
    """Staff cannot do this about a payment; ``str()`` is a sentence for them, nothing was changed."""


class CannotClaim(LoyalinkError):
    """The points of this order cannot be claimed by this person; ``str()`` is a sentence for them."""


class CannotErase(LoyalinkError):
    """This payer cannot be forgotten while money of theirs is undecided; ``str()`` says which."""


class InsideTransaction(LoyalinkError):
    """A verb that commits by itself was called inside a transaction."""


class ShopCannot(LoyalinkError):
    """The shop cannot carry out a verb; ``reason`` is one of the Flag reasons (``sold_out``, ``host_failed``)."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class LedgerError(LoyalinkError):
    """Points cannot be moved as asked; nothing was."""


class CannotAdjust(LedgerError):
    """Staff cannot do this to a member's points; ``str()`` is a sentence for them, nothing was changed."""


class BeyondLimit(CannotAdjust):
    """More than this member of staff may move of one member's points in a day, without another permission."""


class Insufficient(LedgerError):
    """Fewer points are available than were asked for."""


class Frozen(LedgerError):
    """The account is frozen."""


class Conflict(LedgerError):
    """The same cause was booked before, with other figures."""


def traced(exc: BaseException) -> str:
    """What an exception was and where it came from, without its own words: those may name people.

    ``IntegrityError in execute (utils.py:105), called by save (models.py:44), …``, the innermost frames first.
    """
    frames = traceback.extract_tb(exc.__traceback__)[::-1][:8]
    calls = ", called by ".join(
        f"{frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})" for frame in frames
    )
    return f"{type(exc).__name__} in {calls}" if calls else type(exc).__name__


def _sentences(detail: Any, name: str = "") -> list[str]:
    """Flatten Khalti's error bodies: strings, lists and nested objects, whatever the key."""
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
