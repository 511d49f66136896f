"""Where Wagtail's log finds the page of what an entry is about."""

from typing import Any

from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.staff import may

from .links import member_url, payment_url


class PaymentFinder:
    """The page of a payment, for whoever may see it."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, payment: Payment) -> str | None:
        """The page, though nothing on it is edited: so Wagtail calls it."""
        seen = self.user is None or may.may(self.user, may.VIEW_PAYMENTS)
        return payment_url(payment.pk) if seen else None


class MemberFinder:
    """The page of a member, for whoever may see it."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, account: Account) -> str | None:
        """The page, though nothing on it is edited: so Wagtail calls it."""
        seen = self.user is None or may.may(self.user, may.VIEW_MEMBERS)
        return member_url(account.pk) if seen else None
