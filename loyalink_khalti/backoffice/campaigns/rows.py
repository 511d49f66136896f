"""What becomes of campaigns: saved, ended and deleted, in one transaction with the rules of their site."""

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

from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.programmes import ProgramVersion
from loyalink_khalti.loyalty.rules import Campaign as Rule
from loyalink_khalti.money import Points

ADDED, EDITED = "loyalink_khalti.add_campaign", "loyalink_khalti.edit_campaign"
ENDED, DELETED = "loyalink_khalti.end_campaign", "loyalink_khalti.delete_campaign"
LABELS = {
    ADDED: _("Add a campaign"),
    EDITED: _("Edit a campaign"),
    ENDED: _("End a campaign"),
    DELETED: _("Delete a campaign"),
}
"""Log actions, as the site history names them."""


class Over(Exception):
    """The campaign has ended: it stays as it was."""


class Outrun(Exception):
    """Somebody else has changed the campaign since it was looked at; it is now so."""

    def __init__(self, now: Campaign) -> None:
        super().__init__()
        self.now = now


class NameTaken(Exception):
    """Another campaign of the site has this name."""


class State(StrEnum):
    """Where a campaign stands."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    ENDED = "ended"


STATES = {State.SCHEDULED: _("scheduled"), State.RUNNING: _("running"), State.ENDED: _("ended")}


def state(campaign: Campaign, at: datetime | None = None) -> State:
    """It begins at its first instant, and its end is the first on which it gives nothing."""
    at = at or timezone.now()
    if at < campaign.starts_at:
        return State.SCHEDULED
    return State.RUNNING if at < campaign.ends_at else State.ENDED


def rule(campaign: Campaign) -> Rule:
    """A row as the rules have it."""
    return Rule(
        name=campaign.name,
        starts_at=campaign.starts_at,
        ends_at=campaign.ends_at,
        multiplier=Fraction(campaign.multiplier),
        addition=Points(campaign.addition),
        tags=tuple(campaign.tags),
    )


def mark(campaign: Campaign) -> str:
    """A text that is another one as soon as anything of a stored row is."""
    return sha256(repr(rule(campaign)).encode()).hexdigest()[:16]


def made_by_code(site_key: str) -> set[str]:
    """The names of campaigns that are in the rules and not over, and have no row here."""
    now, running = timezone.now(), programmes.current(site_key).rules.campaigns
    rows = Campaign.objects.filter(site_key=site_key).values_list("name", flat=True)
    return {one.name for one in running if one.ends_at > now}.difference(rows)


def others(campaign: Campaign) -> Iterable[Campaign]:
    """Those of the same site that are not over and run at the same time for some of the same goods."""
    during = Campaign.objects.filter(
        site_key=campaign.site_key,
        starts_at__lt=campaign.ends_at,
        ends_at__gt=max(campaign.starts_at, timezone.now()),
    ).exclude(pk=campaign.pk)
    return [
        one
        for one in during.order_by("starts_at", "pk")
        if not one.tags or not campaign.tags or set(one.tags) & set(campaign.tags)
    ]


def save(campaign: Campaign, *, user: Any, seen: str = "") -> ProgramVersion:
    """Save a row that is right, and let it run; one that is there already only as it was ``seen``.

    Raises ``Over``, ``Outrun``, ``NameTaken`` and, where it is gone, ``Campaign.DoesNotExist``.
    """
    if not campaign.pk:
        with transaction.atomic():
            _keep(campaign)
            return _write(campaign, ADDED, user=user, was=campaign.name)
    with transaction.atomic():
        before = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if state(before) is State.ENDED:
            raise Over
        if seen != mark(before):
            raise Outrun(before)
        _keep(campaign)
        return _write(campaign, EDITED, user=user, was=before.name)


def _keep(campaign: Campaign) -> None:
    """Write the row where no other has its name, not even since somebody looked."""
    if campaign.name in made_by_code(campaign.site_key):
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
    """Let a running one give nothing from now on; False where it did not run any more.

    Here and below, one that is gone raises ``Campaign.DoesNotExist``.
    """
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        now = timezone.now()
        if state(locked, now) is not State.RUNNING:
            return False
        locked.ends_at = max(now, locked.starts_at + timedelta(microseconds=1))
        locked.save(update_fields=["ends_at"])
        _write(locked, ENDED, user=user, was=locked.name)
        return True


def delete(campaign: Campaign, *, user: Any) -> bool:
    """Forget one that has not begun; False where it has: what it gave is explained by it."""
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if state(locked) is not State.SCHEDULED:
            return False
        _write(locked, DELETED, user=user, was=locked.name, without=True)
        locked.delete()
        return True


def _write(campaign: Campaign, action: str, *, user: Any, was: str, without: bool = False) -> ProgramVersion:
    """All campaigns of a site that are not over, as a new version of its rules."""
    rows = Campaign.objects.filter(site_key=campaign.site_key)
    if without:
        rows = rows.exclude(pk=campaign.pk)
    ours = {was, campaign.name, *rows.values_list("name", flat=True)}
    running = [rule(one) for one in rows.filter(ends_at__gt=timezone.now()).order_by("starts_at", "pk")]
    version = programmes.run_campaigns(campaign.site_key, running, instead_of=ours, actor=str(user.pk))
    log(instance=campaign, action=action, user=user, data={"name": campaign.name, "version": version.number})
    return version
