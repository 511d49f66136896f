"""The links of a guest's order: one that anybody may pass on, and one that was mailed to the order's address.

Only the second proves that its reader has the mailbox. Each use of such links has a ``salt`` of its own.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from loyalink_khalti.errors import CannotClaim

CLAIM_PERIOD = timedelta(days=30)
"""How long after the order was placed its points can be claimed, however often its mail is sent."""


class InvalidClaimLink(CannotClaim):
    """The link is not signed by this shop, or its order is gone, or its guest was erased."""

    def __init__(self) -> None:
        super().__init__(_("This link is not valid."))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLink:
    """A link as it was signed; one that was mailed also names its address, by a digest, and what else was signed."""

    salt: str
    purchase_id: int
    named: tuple[str, ...] = ()
    digest: str = ""

    @property
    def is_mailed(self) -> bool:
        return bool(self.digest)

    def is_for(self, email: str, *named: str) -> bool:
        """Return whether it was mailed to this address, and names the same."""
        digest = _digest(email, self.salt)
        return self.is_mailed and self.named == named and constant_time_compare(self.digest, digest)


def sign(purchase_id: int, *, salt: str) -> str:
    """Return the token of a link that proves nothing."""
    return signing.dumps(purchase_id, salt=salt)


def sign_for_mail(purchase_id: int, *named: str, email: str, salt: str) -> str:
    """Return the token of a link that is only mailed to the order's address."""
    return signing.dumps([purchase_id, *named, _digest(email, salt)], salt=_mailed(salt))


def read(token: str, *, salt: str) -> OrderLink:
    """Return what a link says. Raises ``InvalidClaimLink``, also for a mailed one after ``CLAIM_PERIOD``."""
    try:
        return OrderLink(salt=salt, purchase_id=int(signing.loads(token, salt=salt)))
    except (signing.BadSignature, ValueError, TypeError):
        pass
    try:
        purchase_id, *named, digest = signing.loads(token, salt=_mailed(salt), max_age=CLAIM_PERIOD)
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise InvalidClaimLink from exc
    return OrderLink(salt=salt, purchase_id=int(purchase_id), named=tuple(named), digest=digest)


def _mailed(salt: str) -> str:
    return f"{salt}.verified"


def _digest(email: str, salt: str) -> str:
    return salted_hmac(_mailed(salt), email.casefold(), algorithm="sha256").hexdigest()[:32]
