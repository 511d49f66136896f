"""How many points staff may move without a further permission, by hand and at the counter, as editors have set it."""

from dataclasses import dataclass

from loyalink_khalti.money import Points

from . import sites
from .settings import settings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustLimits:
    """What one member of staff may adjust or merge without a further permission, in points; None: no limit."""

    per_action: Points | None = None
    per_member: Points | None = None
    """Of one member, in a day."""
    per_actor: Points | None = None
    """Of all members of the site together, in a day."""


def adjust_limits(site_key: str, *, lock: bool = False) -> AdjustLimits:
    """Return the limits that editors have set for adjustments and merges; ``lock`` as for refunds.

    The settings of a deleted site are gone: nothing may be moved without the permission to exceed the limits.
    """
    saved = settings_of("LoyaltySettings", site_key, lock=lock)
    if saved is None:
        return AdjustLimits(per_action=Points(0)) if sites.is_deleted(site_key) else AdjustLimits()
    return AdjustLimits(
        per_action=saved.adjust_limit_per_action, per_member=saved.adjust_limit, per_actor=saved.adjust_limit_per_actor
    )


def counter_limits(site_key: str, *, lock: bool = False) -> AdjustLimits:
    """Return the limits that editors have set for points at the counter; ``lock`` and deleted sites as above."""
    saved = settings_of("LoyaltySettings", site_key, lock=lock)
    if saved is None:
        return AdjustLimits(per_action=Points(0)) if sites.is_deleted(site_key) else AdjustLimits()
    return AdjustLimits(
        per_action=saved.counter_limit_per_sale,
        per_member=saved.counter_limit,
        per_actor=saved.counter_limit_per_actor,
    )
