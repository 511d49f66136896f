"""Save, end and delete campaigns. Each change writes the rules of the site in the same transaction."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.program import ProgramVersion
from loyalink_khalti.loyalty.rules import CampaignRule
from loyalink_khalti.money import Points

ADDED, EDITED = "loyalink_khalti.add_campaign", "loyalink_khalti.edit_campaign"
ENDED, DELETED = "loyalink_khalti.end_campaign", "loyalink_khalti.delete_campaign"
LOG_LABELS = {
    ADDED: _("Add a campaign"),
    EDITED: _("Edit a campaign"),
    ENDED: _("End a campaign"),
    DELETED: _("Delete a campaign"),
}
"""Log actions, with their labels in the site history."""


class CampaignEnded(Exception):
    """The campaign has ended and cannot be changed."""


class CampaignChanged(Exception):
    """Another user has changed the campaign since the form was opened; ``stored`` is the campaign now."""

    def __init__(self, stored: Campaign) -> None:
        super().__init__()
        self.stored = stored


class NameTaken(Exception):
    """Another campaign of the site has this name."""


class CampaignState(StrEnum):
    SCHEDULED = "scheduled"
    RUNNING = "running"
    ENDED = "ended"


STATE_LABELS = {
    CampaignState.SCHEDULED: _("scheduled"),
    CampaignState.RUNNING: _("running"),
    CampaignState.ENDED: _("ended"),
}


def campaign_state(campaign: Campaign, at: datetime | None = None) -> CampaignState:
    """Return the state at a time, by default now. ``starts_at`` is included, ``ends_at`` is not."""
    at = at or timezone.now()
    if at < campaign.starts_at:
        return CampaignState.SCHEDULED
    return CampaignState.RUNNING if at < campaign.ends_at else CampaignState.ENDED


def to_rule(campaign: Campaign) -> CampaignRule:
    """Return a campaign in the form that the rules of its site have."""
    return CampaignRule(
        name=campaign.name,
        starts_at=campaign.starts_at,
        ends_at=campaign.ends_at,
        multiplier=Fraction(campaign.multiplier),
        addition=Points(campaign.addition),
        tags=tuple(campaign.tags),
    )


def fingerprint(campaign: Campaign) -> str:
    """Return a text that changes whenever a stored campaign changes."""
    return sha256(repr(to_rule(campaign)).encode()).hexdigest()[:16]


def unmanaged_names(site_key: str) -> set[str]:
    """Return the names of campaigns in the rules that have not ended and have no row: code has added them."""
    now, in_rules = timezone.now(), ledger.current_version(site_key).rules.campaigns
    managed = Campaign.objects.filter(site_key=site_key).values_list("name", flat=True)
    return {rule.name for rule in in_rules if rule.ends_at > now}.difference(managed)


def overlapping(campaign: Campaign) -> Iterable[Campaign]:
    """Return the other campaigns of the site that apply to some of the same products at the same time."""
    same_time = Campaign.objects.filter(
        site_key=campaign.site_key,
        starts_at__lt=campaign.ends_at,
        ends_at__gt=max(campaign.starts_at, timezone.now()),
    ).exclude(pk=campaign.pk)
    return [
        other
        for other in same_time.order_by("starts_at", "pk")
        if not other.tags or not campaign.tags or set(other.tags) & set(campaign.tags)
    ]


def save(campaign: Campaign, *, user: Any, seen: str = "") -> ProgramVersion:
    """Save a valid campaign and put it into the rules of its site. Return the version of the rules.

    An existing campaign is saved only if its ``fingerprint`` is still ``seen``. Raises ``CampaignEnded``,
    ``CampaignChanged``, ``NameTaken`` and, if another user has deleted it, ``Campaign.DoesNotExist``.
    """
    if not campaign.pk:
        with transaction.atomic():
            _save_row(campaign)
            return _publish(campaign, ADDED, user=user, former_name=campaign.name)
    with transaction.atomic():
        before = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if campaign_state(before) is CampaignState.ENDED:
            raise CampaignEnded
        if seen != fingerprint(before):
            raise CampaignChanged(before)
        _save_row(campaign)
        return _publish(campaign, EDITED, user=user, former_name=before.name)


def _save_row(campaign: Campaign) -> None:
    """Write the row. Raises ``NameTaken``, also if another user has just saved a campaign with this name."""
    if campaign.name in unmanaged_names(campaign.site_key):
        raise NameTaken
    try:
        with transaction.atomic():
            campaign.save()
    except IntegrityError as exc:
        same = Campaign.objects.filter(site_key=campaign.site_key, name=campaign.name)
        if same.exclude(pk=campaign.pk).exists():
            raise NameTaken from exc
        raise


def end(campaign: Campaign, *, user: Any) -> bool:
    """End a running campaign now. Return False if it is not running.

    Raises ``Campaign.DoesNotExist`` if another user has deleted it.
    """
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        now = timezone.now()
        if campaign_state(locked, now) is not CampaignState.RUNNING:
            return False
        locked.ends_at = max(now, locked.starts_at + timedelta(microseconds=1))
        locked.save(update_fields=["ends_at"])
        _publish(locked, ENDED, user=user, former_name=locked.name)
        return True


def delete(campaign: Campaign, *, user: Any) -> bool:
    """Delete a campaign that has not started. Return False if it has: it explains the points that it added.

    Raises ``Campaign.DoesNotExist`` if another user has deleted it.
    """
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if campaign_state(locked) is not CampaignState.SCHEDULED:
            return False
        _publish(locked, DELETED, user=user, former_name=locked.name, is_deleted=True)
        locked.delete()
        return True


def _publish(
    campaign: Campaign, action: str, *, user: Any, former_name: str, is_deleted: bool = False
) -> ProgramVersion:
    """Write all campaigns of the site that have not ended into a new version of its rules, and log the action."""
    rows = Campaign.objects.filter(site_key=campaign.site_key)
    if is_deleted:
        rows = rows.exclude(pk=campaign.pk)
    managed = {former_name, campaign.name, *rows.values_list("name", flat=True)}
    flow.remember_categories(campaign.tags)
    rules = [to_rule(row) for row in rows.filter(ends_at__gt=timezone.now()).order_by("starts_at", "pk")]
    version = ledger.set_campaigns(campaign.site_key, rules, replacing=managed, actor=str(user.pk))
    log(instance=campaign, action=action, user=user, data={"name": campaign.name, "version": version.number})
    return version
