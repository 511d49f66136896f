"""Loyalty programmes and the versions of their rules."""

import json
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from hashlib import sha256
from threading import Lock
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone

from loyalink_khalti.append_only import AppendOnlyModel
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import LedgerError
from loyalink_khalti.money import Rounding
from loyalink_khalti.ports import Line
from loyalink_khalti.returning import Given, Select

from .rules import CampaignRule, Rules


class Program(models.Model):
    """The loyalty programme of one site."""

    site_key = models.CharField(max_length=255)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    closed_until = models.DateTimeField(
        null=True, blank=True, help_text="entries before this moment are in monthly sums; the beginning of a month"
    )
    seal = models.CharField(max_length=64, blank=True, default="", db_default="", help_text="digest of the versions")
    sealed_number = models.PositiveIntegerField(default=0, db_default=0, help_text="the newest version in the seal")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site_key"], condition=Q(active=True), name="loyalink_program_site"),
        ]

    def __str__(self) -> str:
        return self.site_key


class ProgramVersion(AppendOnlyModel):
    """The rules from a moment on. A version never changes; the next one replaces it."""

    REFUSAL = LedgerError
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    stored = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk; null is the system")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["program", "number"], name="loyalink_version_number"),
        ]

    def __str__(self) -> str:
        return f"{self.program_id} v{self.number}"

    @cached_property
    def rules(self) -> Rules:
        return Rules.from_json(self.stored)

    def next_seal(self, before: str) -> str:
        """Return the seal of the programme after this version."""
        return seal(before, [self.program_id, self.number, self.stored, self.actor, self.created_at])


def seal(before: str, values: Iterable[Any]) -> str:
    """Return the seal of a row of ``values`` that comes after the one with the seal ``before``: a digest of both."""
    return sha256(json.dumps([before, *values], sort_keys=True, default=_in_utc).encode()).hexdigest()


def first_seal(program_id: int, member_id: str | None) -> str:
    """Return what the seal of an account's first entry comes after: whose account it is."""
    return seal("", [program_id, member_id])


def _in_utc(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


def seal_versions(program: Program) -> None:
    """Extend the seal of a programme to its newest version. The audit finds a version that is changed later."""
    number, newest = program.sealed_number, program.seal
    for version in program.versions.filter(number__gt=number).order_by("number"):
        number, newest = version.number, version.next_seal(newest)
    unchanged = Program.objects.filter(pk=program.pk, sealed_number=program.sealed_number, seal=program.seal)
    unchanged.update(sealed_number=number, seal=newest)


class FormerTag(models.Model):
    """A tag of a category in a version that used names, and the tag of a category that it stood for then.

    A name that two categories had has two rows. Versions of rules never change, nor do Carts: ``resolve_tags``.
    """

    tag = models.CharField(max_length=255)
    identity = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "identity"], name="loyalink_former_tag")]

    def __str__(self) -> str:
        return f"{self.tag} → {self.identity}"


class CategoryName(models.Model):
    """The name of a category when a rule last named it, for when the category is deleted."""

    tag = models.CharField(max_length=255, unique=True)
    name = models.CharField(max_length=1000)

    def __str__(self) -> str:
        return self.name


def resolve_tags(lines: Sequence[Line], rules: Rules) -> Sequence[Line]:
    """Return the lines so that rules and lines name a category alike where only one of both is of an earlier version.

    Rules and lines of one version are compared as they are: as their customer was shown. Reads nothing for those.
    """
    tags = frozenset(tag for line in lines for tag in line.tags)
    former = {tag for tag in rules.tags ^ tags if not _is_identity(tag)}
    if not former or not any(map(_is_identity, rules.tags | tags)):
        return lines
    same: dict[str, set[str]] = defaultdict(set)
    for tag, identity in FormerTag.objects.filter(tag__in=former).values_list("tag", "identity"):
        same[tag].add(identity)
        same[identity].add(tag)
    others = ({other for tag in line.tags for other in same[tag]} for line in lines)
    return [replace(line, tags=(*line.tags, *sorted(more))) for line, more in zip(lines, others, strict=True)]


def _is_identity(tag: str) -> bool:
    """Whether a tag is of this version: the name of the shop, and what its host never changes."""
    return ":" in tag


_NEWEST = Select(
    ProgramVersion,
    lambda: (
        ProgramVersion.objects.filter(program__site_key=Given("site_key"), program__active=True)
        .order_by("-number")
        .values_list("pk", "created_at")[:1]
    ),
)


def current_version(site_key: str) -> ProgramVersion:
    """Return the rules of a site as they are now. A site without any starts with the default rules."""
    newest = _NEWEST.first(site_key=site_key)
    if newest is None:
        return _create_default(site_key)
    pk, created_at = newest
    version = get_version(pk)
    if version.created_at != created_at:  # the database was restored, and the pk used again
        _forget(pk)
        version = get_version(pk)
    return version


def get_version(pk: int) -> ProgramVersion:
    """Return the version of the rules that a customer was shown; no statement where this process has read it before.

    It is shared by all threads: do not change it.
    """
    version = _versions.get(_kept_as(pk))
    if version is None:
        version = ProgramVersion.objects.select_related("program").get(pk=pk)
        # Not before the commit: a transaction that is rolled back leaves its pk to another version.
        transaction.on_commit(partial(_keep, _kept_as(pk), version))
    return version


KEPT = 200
_versions: dict[tuple[str, str, int], ProgramVersion] = {}
"""The versions that this process has read, by database and pk, the oldest first: a version never changes."""
_keeping = Lock()


def _kept_as(pk: int) -> tuple[str, str, int]:
    return connection.alias, str(connection.settings_dict["NAME"]), pk


def _keep(key: tuple[str, str, int], version: ProgramVersion) -> None:
    with _keeping:
        _versions[key] = version
        while len(_versions) > KEPT:
            del _versions[next(iter(_versions))]


def _forget(pk: int) -> None:
    with _keeping:
        _versions.pop(_kept_as(pk), None)


def forget_versions() -> None:
    """Let this process read every version again: for tests, and after the database was restored."""
    with _keeping:
        _versions.clear()


def current_versions() -> list[ProgramVersion]:
    """Return the current rules of all sites, ordered by site; one query."""
    later = ProgramVersion.objects.filter(program=OuterRef("program"), number__gt=OuterRef("number"))
    versions = ProgramVersion.objects.select_related("program").filter(~Exists(later), program__active=True)
    return list(versions.order_by("program__site_key"))


def lowest_tier() -> Subquery:
    """Return a subquery for accounts: the name of the lowest tier under the current rules."""
    versions = ProgramVersion.objects.filter(program=OuterRef("program"), program__active=True).order_by("-number")
    return Subquery(versions.annotate(name=KeyTextTransform("name", "stored__tiers__0")).values("name")[:1])


def refund_rounding(version_id: int | None) -> Rounding:
    """Return how refunds of a purchase under these rules are rounded; None stands for the default rules."""
    return (get_version(version_id).rules if version_id else Rules()).refund_rounding


def set_rules(site_key: str, rules: Rules, *, actor: str | None = None) -> ProgramVersion:
    """Make ``rules`` the current rules of a site; return the version, the same one where nothing changed.

    What was awarded or held before keeps its own version.
    """
    return revise_rules(site_key, lambda _before: rules, actor=actor)


def revise_rules(site_key: str, revise: Callable[[Rules], Rules], *, actor: str | None = None) -> ProgramVersion:
    """Set the rules that ``revise`` makes of the current ones, under a lock, so that no change in between is lost."""
    with transaction.atomic():
        before = current_version(site_key)
        program = Program.objects.select_for_update().get(pk=before.program_id)
        before = current_version(site_key)
        rules = revise(before.rules)
        if before.rules == rules:
            return before
        version = ProgramVersion.objects.create(
            program=before.program, number=before.number + 1, stored=rules.to_json(), actor=actor
        )
        seal_versions(program)
        return version


def set_campaigns(
    site_key: str, campaigns: Iterable[CampaignRule], *, replacing: Container[str] = (), actor: str | None = None
) -> ProgramVersion:
    """Add campaigns to the rules of a site, and remove those named in ``replacing`` and those that have ended."""
    wanted, now = tuple(campaigns), database_now()
    names = {campaign.name for campaign in wanted}

    def revise(before: Rules) -> Rules:
        kept = (campaign for campaign in before.campaigns if campaign.name not in names)
        others = (campaign for campaign in kept if campaign.name not in replacing)
        current = (campaign for campaign in (*others, *wanted) if campaign.ends_at > now)
        return replace(before, campaigns=tuple(sorted(current, key=lambda each: (each.starts_at, each.name))))

    return revise_rules(site_key, revise, actor=actor)


def _create_default(site_key: str) -> ProgramVersion:
    with transaction.atomic():
        program, _ = Program.objects.get_or_create(site_key=site_key, active=True)
        ProgramVersion.objects.get_or_create(program=program, number=1, defaults={"stored": Rules().to_json()})
        seal_versions(program)
    newest = ProgramVersion.objects.select_related("program").filter(program=program).order_by("-number")
    return newest[0]
