"""Where points can be, why they move, and which moves exist."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Bucket(models.TextChoices):
    """Where points can be. The sum over all buckets of an account is always 0."""

    ISSUED = "issued", _("issued")
    PENDING = "pending", _("pending")
    AVAILABLE = "available", _("available")
    HELD = "held", _("reserved")
    REDEEMED = "redeemed", _("used")
    EXPIRED = "expired", _("expired")
    REVERSED = "reversed", _("reversed")
    OWED = "owed", _("owed")
    WRITTEN_OFF = "written_off", _("written off")
    ADJUSTED = "adjusted", _("adjusted")


class EntryKind(models.TextChoices):
    """Why points moved."""

    EARN = "earn", _("Earned")
    ACTIVATE = "activate", _("Available")
    HOLD = "hold", _("Reserved")
    CAPTURE = "capture", _("Used")
    RELEASE = "release", _("Released")
    LATE_CAPTURE = "late_capture", _("Used late")
    EXPIRE = "expire", _("Expired")
    CLAW_BACK = "claw_back", _("Reversed")
    FORGIVE = "forgive", _("Written off")
    RESTORE = "restore", _("Returned")
    REPAY = "repay", _("Repaid")
    EARN_AGAIN = "earn_again", _("Earned again")
    REDEEM_AGAIN = "redeem_again", _("Used again")
    ADJUST = "adjust", _("Adjusted")
    WRITE_OFF = "write_off", _("Written off")
    MERGE_OUT = "merge_out", _("Moved to another account")
    MERGE_IN = "merge_in", _("Moved from another account")


class HoldState(models.TextChoices):
    """What has become of reserved points; captured and released are final."""

    ACTIVE = "active", _("active")
    CAPTURED = "captured", _("captured")
    RELEASED = "released", _("released")


TRANSFERS: dict[EntryKind, tuple[tuple[Bucket, Bucket], ...]] = {
    EntryKind.EARN: ((Bucket.ISSUED, Bucket.PENDING), (Bucket.ISSUED, Bucket.AVAILABLE)),
    EntryKind.ACTIVATE: ((Bucket.PENDING, Bucket.AVAILABLE),),
    EntryKind.HOLD: ((Bucket.AVAILABLE, Bucket.HELD),),
    EntryKind.CAPTURE: ((Bucket.HELD, Bucket.REDEEMED),),
    EntryKind.RELEASE: ((Bucket.HELD, Bucket.AVAILABLE),),
    EntryKind.LATE_CAPTURE: ((Bucket.AVAILABLE, Bucket.REDEEMED), (Bucket.OWED, Bucket.REDEEMED)),
    EntryKind.EXPIRE: ((Bucket.AVAILABLE, Bucket.EXPIRED),),
    EntryKind.CLAW_BACK: (
        (Bucket.PENDING, Bucket.REVERSED),
        (Bucket.AVAILABLE, Bucket.REVERSED),
        (Bucket.OWED, Bucket.REVERSED),
    ),
    EntryKind.FORGIVE: ((Bucket.WRITTEN_OFF, Bucket.REVERSED),),
    EntryKind.RESTORE: ((Bucket.REDEEMED, Bucket.AVAILABLE),),
    EntryKind.EARN_AGAIN: (
        (Bucket.REVERSED, Bucket.PENDING),
        (Bucket.REVERSED, Bucket.AVAILABLE),
        (Bucket.REVERSED, Bucket.WRITTEN_OFF),
    ),
    EntryKind.REDEEM_AGAIN: ((Bucket.AVAILABLE, Bucket.REDEEMED), (Bucket.OWED, Bucket.REDEEMED)),
    EntryKind.REPAY: ((Bucket.AVAILABLE, Bucket.OWED),),
    EntryKind.ADJUST: ((Bucket.ADJUSTED, Bucket.AVAILABLE), (Bucket.AVAILABLE, Bucket.ADJUSTED)),
    EntryKind.WRITE_OFF: (
        (Bucket.PENDING, Bucket.WRITTEN_OFF),
        (Bucket.AVAILABLE, Bucket.WRITTEN_OFF),
        (Bucket.WRITTEN_OFF, Bucket.OWED),
    ),
    EntryKind.MERGE_OUT: (
        (Bucket.PENDING, Bucket.ADJUSTED),
        (Bucket.AVAILABLE, Bucket.ADJUSTED),
        (Bucket.ADJUSTED, Bucket.OWED),
    ),
    EntryKind.MERGE_IN: (
        (Bucket.ADJUSTED, Bucket.PENDING),
        (Bucket.ADJUSTED, Bucket.AVAILABLE),
        (Bucket.OWED, Bucket.ADJUSTED),
    ),
}
"""The transfers that exist, as (from, to); the database refuses any other."""

EARNED_SIGN = {EntryKind.EARN: 1, EntryKind.EARN_AGAIN: 1, EntryKind.CLAW_BACK: -1, EntryKind.FORGIVE: -1}
"""How an entry changes the points earned in a lifetime."""
REDEEMED_SIGN = {
    EntryKind.CAPTURE: 1, EntryKind.LATE_CAPTURE: 1, EntryKind.REDEEM_AGAIN: 1, EntryKind.RESTORE: -1,
}  # fmt: skip
"""How an entry changes the points redeemed in a lifetime."""
