"""The terms of a site's loyalty programme, written from its actual rules, and its tiers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from hashlib import sha256

from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import OrderSnapshot
from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Line

from . import sentences
from .categories import category_names

EXAMPLE = Paisa(100_000)
"""Rs 1,000 of products, of which each tier says what they earn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsSection:
    """Sentences under one heading; ``key`` names the section in every language."""

    key: str
    heading: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TierTerms:
    """A tier as customers see it: ``name`` in their language, ``gives`` as parts of a sentence."""

    key: str
    """Its name in the rules, in no language."""
    name: str
    threshold: Points
    """Points that are needed to reach it."""
    multiplier: Fraction
    gives: tuple[str, ...]
    example_amount: Paisa
    example_points: Points
    """What products of ``example_amount`` paisa earn in this tier, without campaigns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTerms:
    """The terms of a programme, in the reader's language."""

    name: str
    """The programme's name by its editors, "" where they have given none."""
    text: str
    """The editors' own text about the programme, "" where they have written none."""
    sections: tuple[TermsSection, ...]
    tiers: tuple[TierTerms, ...]
    version: str
    """What identifies these terms in every language: the version of the rules, and a digest of the editors' texts."""
    number: int
    """The number of the version of the rules."""
    valid_from: datetime

    @property
    def sentences(self) -> tuple[str, ...]:
        """All sentences, in their order."""
        return tuple(sentence for section in self.sections for sentence in section.sentences)


def program_terms(site_key: str) -> ProgramTerms:
    """Return the terms of a site's programme: a sentence for every rule that is in force or announced now.

    Its ``version`` is the same in every language, and another one as soon as a rule, a campaign, a tier or a text of
    the editors is changed. A campaign that begins or ends by its dates changes no version.
    """
    current, texts = ledger.current_version(site_key), conf.program_texts(site_key)
    return ProgramTerms(
        name=texts.name,
        text=texts.text,
        sections=terms_sections(current.rules, now=timezone.now()),
        tiers=tuple(_tiers(current.rules)),
        version=_version(current.number, texts),
        number=current.number,
        valid_from=current.created_at,
    )


def program_tiers(site_key: str) -> tuple[TierTerms, ...]:
    """Return the tiers of a site's programme, the lowest first; () where there is but one, which gives no more."""
    return tuple(_tiers(ledger.current_version(site_key).rules))


def terms_sections(rules: Rules, *, now: datetime) -> tuple[TermsSection, ...]:
    """Return the rules as sentences under headings, without sections that have none; one query for categories."""
    names = category_names(()) if rules.tags else {}
    found = (
        ("earning", _("How you earn points"), sentences.earning(rules)),
        ("categories", _("Products with more points, or none"), sentences.categories(rules, names)),
        ("campaigns", _("Campaigns"), sentences.campaigns(rules, names, now=now)),
        ("redeeming", _("What points are worth"), sentences.redeeming(rules)),
        ("validity", _("How long points are valid"), sentences.validity(rules)),
        ("tiers", _("Tiers"), sentences.tiers(rules)),
        ("refunds", _("When an order is refunded"), sentences.refunds(rules)),
    )
    sections = (TermsSection(key=key, heading=heading, sentences=tuple(each)) for key, heading, each in found)
    return tuple(section for section in sections if section.sentences)


def _version(number: int, texts: conf.ProgramTexts) -> str:
    own = f"{texts.name}\n{texts.text}".strip()
    return f"{number}-{sha256(own.encode()).hexdigest()[:8]}" if own else str(number)


def _tiers(rules: Rules) -> Iterator[TierTerms]:
    if not sentences.has_tiers(rules):
        return
    amount = Paisa(max(EXAMPLE, rules.per))
    for tier in rules.tiers:
        yield TierTerms(
            key=tier.name,
            name=_(tier.name),
            threshold=tier.threshold,
            multiplier=tier.multiplier,
            gives=tuple(sentences.tier_gives(tier)),
            example_amount=amount,
            example_points=_example(rules, tier, amount),
        )


def _example(rules: Rules, tier: Tier, amount: Paisa) -> Points:
    """Return what products of ``amount`` paisa earn, of no category and outside campaigns."""
    usual = replace(rules, campaigns=(), minimum_order=Paisa(0), maximum_earned=None, earn_paused=False)
    line = Line(sku="", title="", quantity=1, unit=amount, total=amount)
    order = OrderSnapshot(lines=[line], shipping=Paisa(0), discount=Paisa(0), points_value=Paisa(0), at=timezone.now())
    return order.earned(usual, tier=tier.name).points
