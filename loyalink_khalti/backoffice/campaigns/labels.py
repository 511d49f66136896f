"""Texts about campaigns. Times are shown in Nepal time."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.conf import formats
from loyalink_khalti.nepal import KATHMANDU
from loyalink_khalti.staff.fields import format_multiplier

CATEGORIES_NAMED = 3
"""So many categories are named; further ones are counted."""


def nepal_time(at: datetime) -> str:
    """Return a time in Nepal, like "10 Oct 2026, 10:00"."""
    return formats.digits(date_format(localtime(at, KATHMANDU), "j M Y, H:i"))


def period_label(campaign: Campaign) -> str:
    """Return when a campaign starts and ends."""
    return f"{nepal_time(campaign.starts_at)} – {nepal_time(campaign.ends_at)}"


def benefit_label(campaign: Campaign) -> str:
    """Return what a customer gets, like "× 2, + 50 points"."""
    times = f"× {format_multiplier(Fraction(campaign.multiplier))}" if campaign.multiplier > 1 else ""
    added = ngettext("+ %(points)s point", "+ %(points)s points", campaign.addition)
    bonus = added % {"points": formats.number(campaign.addition)} if campaign.addition else ""
    return ", ".join(filter(None, (times, bonus)))


def categories_label(campaign: Campaign, names: Mapping[str, str]) -> str:
    """Return the categories of a campaign by their names; "all products" if it has none."""
    listed = [names.get(tag, tag) for tag in campaign.tags]
    rest = len(listed) - CATEGORIES_NAMED
    if rest > 0:
        listed = [*listed[:CATEGORIES_NAMED], ngettext("%(rest)s more", "%(rest)s more", rest) % {"rest": rest}]
    return ", ".join(listed) or _("all products")


def overlap_warnings(campaigns: Iterable[Campaign]) -> list[str]:
    """Return a warning for each campaign that applies to the same products at the same time."""
    return [
        _(
            "“%(name)s” (%(period)s: %(benefit)s) applies to some of the same products at the same time. Only the"
            " higher of the two multipliers counts; bonus points add up."
        )
        % {"name": campaign.name, "period": period_label(campaign), "benefit": benefit_label(campaign)}
        for campaign in campaigns
    ]
