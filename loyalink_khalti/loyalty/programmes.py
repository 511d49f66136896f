"""Programmes and the versions of their rules."""

from collections.abc import Callable, Container, Iterable
from dataclasses import replace

from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone

from .arithmetic import Rounding
from .rules import Campaign, Rules


class Program(models.Model):
    """The points of one site."""

    site_key = models.CharField(max_length=255)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site_key"], condition=Q(active=True), name="loyalink_program_site"),
        ]

    def __str__(self) -> str:
        return self.site_key


class ProgramVersion(models.Model):
    """The rules as they were from a moment on; never changed, only followed by another."""

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

    @property
    def rules(self) -> Rules:
        return Rules.from_json(self.stored)


def current(site_key: str) -> ProgramVersion:
    """The rules of a site as they are now; a site that never chose any begins with the defaults."""
    versions = ProgramVersion.objects.select_related("program")
    newest = versions.filter(program__site_key=site_key, program__active=True).order_by("-number").first()
    return newest or _begin(site_key)


def version(pk: int) -> ProgramVersion:
    """The rules that were shown to somebody."""
    return ProgramVersion.objects.select_related("program").get(pk=pk)


def newest() -> list[ProgramVersion]:
    """The rules of all sites as they are now, by the names of the sites; one statement."""
    later = ProgramVersion.objects.filter(program=OuterRef("program"), number__gt=OuterRef("number"))
    versions = ProgramVersion.objects.select_related("program").filter(~Exists(later), program__active=True)
    return list(versions.order_by("program__site_key"))


def lowest_tier() -> Subquery:
    """For accounts: the name of the lowest level by the rules as they are now."""
    versions = ProgramVersion.objects.filter(program=OuterRef("program"), program__active=True).order_by("-number")
    return Subquery(versions.annotate(name=KeyTextTransform("name", "stored__tiers__0")).values("name")[:1])


def rounding_of(pk: int | None) -> Rounding:
    """How refunds of a purchase that was shown these rules are rounded."""
    return (version(pk).rules if pk else Rules()).refund_rounding


def change(site_key: str, rules: Rules, *, actor: str | None = None) -> ProgramVersion:
    """Let other rules hold from now on; what was awarded or held before keeps its own. The same again is no change."""
    return revise(site_key, lambda _before: rules, actor=actor)


def revise(site_key: str, revised: Callable[[Rules], Rules], *, actor: str | None = None) -> ProgramVersion:
    """The same, from the rules as they are under lock: nobody's change in between is lost."""
    with transaction.atomic():
        before = current(site_key)
        Program.objects.select_for_update().get(pk=before.program_id)
        before = current(site_key)
        rules = revised(before.rules)
        if before.rules == rules:
            return before
        return ProgramVersion.objects.create(
            program=before.program, number=before.number + 1, stored=rules.to_json(), actor=actor
        )


def run_campaigns(
    site_key: str, campaigns: Iterable[Campaign], *, instead_of: Container[str] = (), actor: str | None = None
) -> ProgramVersion:
    """Let these campaigns run, as far as they are not over, and none of the names ``instead_of`` but them."""
    wanted, now = tuple(campaigns), timezone.now()
    names = {campaign.name for campaign in wanted}

    def revised(before: Rules) -> Rules:
        others = (one for one in before.campaigns if one.name not in names and one.name not in instead_of)
        runs = (one for one in (*others, *wanted) if one.ends_at > now)
        return replace(before, campaigns=tuple(sorted(runs, key=lambda one: (one.starts_at, one.name))))

    return revise(site_key, revised, actor=actor)


def _begin(site_key: str) -> ProgramVersion:
    with transaction.atomic():
        program, _ = Program.objects.get_or_create(site_key=site_key, active=True)
        ProgramVersion.objects.get_or_create(program=program, number=1, defaults={"stored": Rules().to_json()})
    newest = ProgramVersion.objects.select_related("program").filter(program=program).order_by("-number")
    return newest[0]
