"""One-time codes with which a member redeems points at the counter: digits on the points card, good for minutes.

A code belongs to one member of one site. Only a keyed hash of it is stored, it ends with the first use or the next
code, and after a few wrong tries. Nothing here moves points: ``hold`` and ``capture`` do.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from loyalink_khalti.clock import DatabaseTime, database_now

DIGITS = 6
VALID_FOR = timedelta(minutes=10)
MAX_TRIES = 5
"""Wrong tries after which a code is void."""
MOST_PER_HOUR = 12
"""Codes that one member may have made within an hour."""
_HOUR = timedelta(hours=1)
_SALT = "loyalink_khalti.loyalty.counter_codes"


class CounterCode(models.Model):
    """One code: of whom, until when, and for which purchase it was used."""

    site_key = models.CharField(max_length=255)
    member_id = models.CharField(max_length=64)
    nonce = models.CharField(max_length=32)
    digest = models.CharField(max_length=64, help_text="keyed hash of site, member, nonce and digits")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0, help_text="wrong ones")
    used_at = models.DateTimeField(null=True)
    used_for = models.CharField(max_length=192, blank=True, default="", help_text="the purchase")

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["member_id", "created_at"], name="loyalink_counter_code_of")]
        constraints = [
            models.UniqueConstraint(fields=["used_for"], condition=~Q(used_for=""), name="loyalink_code_once"),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True, used_for="") | Q(used_at__isnull=False) & ~Q(used_for=""),
                name="loyalink_code_used",
            ),
        ]

    def __str__(self) -> str:
        return f"code {self.pk} of member {self.member_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCode:
    """A code as its member sees it, once."""

    digits: str
    expires_at: datetime


def issue_counter_code(*, site_key: str, member_id: str) -> IssuedCode | None:
    """Make a new code for a member, in the caller's transaction, and end the one before; None after too many."""
    codes, now = CounterCode.objects.filter(site_key=site_key, member_id=member_id), database_now()
    if codes.filter(created_at__gt=now - _HOUR).count() >= MOST_PER_HOUR:
        return None
    codes.filter(used_at=None, created_at__lte=now - _HOUR).delete()
    codes.filter(used_at=None, expires_at__gt=now).update(expires_at=now)
    digits, nonce = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}", secrets.token_hex(16)
    row = CounterCode.objects.create(
        site_key=site_key, member_id=member_id, nonce=nonce, digest=_digest(site_key, member_id, nonce, digits),
        created_at=now, expires_at=now + VALID_FOR,
    )  # fmt: skip
    return IssuedCode(digits=digits, expires_at=row.expires_at)


def check_counter_code(*, site_key: str, member_id: str, digits: str) -> int | None:
    """Return the pk of the member's code with these digits, None for a wrong, used or expired one.

    A wrong one counts as a try, before it is compared, so that tries at the same moment do not get more. Commit it
    whatever becomes of the sale.
    """
    usable = CounterCode.objects.filter(
        site_key=site_key, member_id=member_id, used_at=None, expires_at__gt=DatabaseTime(), tries__lt=MAX_TRIES
    )
    newest = usable.order_by("-pk").first()
    if newest is None or not usable.filter(pk=newest.pk).update(tries=F("tries") + 1):
        return None
    if not constant_time_compare(newest.digest, _digest(site_key, member_id, newest.nonce, digits)):
        return None
    CounterCode.objects.filter(pk=newest.pk).update(tries=F("tries") - 1)
    return newest.pk


def use_counter_code(pk: int, *, purchase: str) -> bool:
    """Use a code for a purchase, once; False where it was used or has expired since it was checked."""
    usable = CounterCode.objects.filter(pk=pk, used_at=None, expires_at__gt=DatabaseTime())
    return bool(usable.update(used_at=DatabaseTime(), used_for=purchase))


def _digest(site_key: str, member_id: str, nonce: str, digits: str) -> str:
    return salted_hmac(_SALT, f"{site_key}:{member_id}:{nonce}:{digits}", algorithm="sha256").hexdigest()
