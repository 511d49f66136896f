"""Campaigns in words, times as they are in Nepal."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.loyalty.expiry import KATHMANDU
from loyalink_khalti.money import grouped
from loyalink_khalti.staff.fields import written

LISTED = 3
"""Categories that are named before the rest is counted."""


def moment(at: datetime) -> str:
    return date_format(localtime(at, KATHMANDU), "j M Y, H:i")


def period(campaign: Campaign) -> str:
    return f"{moment(campaign.starts_at)} – {moment(campaign.ends_at)}"


def gives(campaign: Campaign) -> str:
    """What a customer has of it."""
    times = f"× {written(Fraction(campaign.multiplier))}" if campaign.multiplier > 1 else ""
    more = ngettext("+ %(points)s point", "+ %(points)s points", campaign.addition)
    added = more % {"points": grouped(campaign.addition)} if campaign.addition else ""
    return ", ".join(filter(None, (times, added)))


def categories(campaign: Campaign, names: Mapping[str, str]) -> str:
    """Its categories by their names; all goods where it has none."""
    named = [names.get(tag, tag) for tag in campaign.tags]
    rest = len(named) - LISTED
    if rest > 0:
        named = [*named[:LISTED], ngettext("%(rest)s more", "%(rest)s more", rest) % {"rest": rest}]
    return ", ".join(named) or _("all goods")


def overlaps(campaigns: Iterable[Campaign]) -> list[str]:
    """What to say of others that run at the same time for the same goods."""
    return [
        _(
            "“%(name)s” (%(period)s: %(gives)s) runs at the same time for some of the same goods. Customers then have"
            " the higher multiplier of the two, not both; points added to an order add up."
        )
        % {"name": one.name, "period": period(one), "gives": gives(one)}
        for one in campaigns
    ]
