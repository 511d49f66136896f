"""The rules of a programme as plain sentences for customers: every rule that can matter to one is in a sentence.

No database and no clock. Texts are as the reader expects them (``conf.formats``). Amounts are paisa.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from fractions import Fraction

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import rupees
from loyalink_khalti.loyalty.rules import CampaignRule, Rules, Shortfall, Tier, TierBasis
from loyalink_khalti.money import KHALTI_MINIMUM, Rounding
from loyalink_khalti.nepal import day_of, midnight

Names = Mapping[str, str]
"""The names of categories by their tags. Rules also name categories that were deleted: they apply to nothing."""


def earning(rules: Rules) -> Iterator[str]:
    """Yield how points are earned."""
    if rules.earn_paused:
        yield _("At the moment orders earn no points.")
    yield _rate(rules)
    yield (
        _("Points are counted on the prices of products before offers and coupons.")
        if rules.earn_before_discounts
        else _("Points are counted on the prices of products after offers and coupons.")
    )
    yield (
        _("What you pay with points earns points, too.")
        if rules.earn_on_points
        else _("What you pay with points earns no points.")
    )
    yield _("Delivery earns points, too.") if rules.earn_on_shipping else _("Delivery earns no points.")
    if rules.vat_percent:
        percent = {"percent": formats.number(rules.vat_percent)}
        yield _("The %(percent)s%% VAT in the prices earns no points.") % percent
    yield _fraction(rules)
    if rules.minimum_order:
        yield _("An order with less than %(amount)s of products earns no points.") % {
            "amount": rupees(rules.minimum_order)
        }
    if rules.maximum_earned is not None:
        yield _("One order earns %(points)s at most.") % {"points": points(rules.maximum_earned)}
    if rules.first_order_bonus:
        yield _("Your first order earns %(points)s more.") % {"points": points(rules.first_order_bonus)}
    if rules.signup_bonus:
        yield _("A new account gets %(points)s.") % {"points": points(rules.signup_bonus)}
    yield _("You get the points of an order when its payment has arrived.")


def _rate(rules: Rules) -> str:
    rate = {"points": points(rules.points), "amount": rupees(rules.per)}
    if rules.stepwise:
        return _("You earn %(points)s for every full %(amount)s of products.") % rate
    return _("You earn %(points)s for every %(amount)s of products.") % rate


def _fraction(rules: Rules) -> str:
    texts = {
        Rounding.FLOOR: _("A fraction of a point is dropped, once per order."),
        Rounding.HALF_UP: _("A fraction of a point is rounded to the nearest point, once per order."),
        Rounding.CEIL: _("A fraction of a point is rounded up, once per order."),
    }
    return texts[rules.rounding]


def categories(rules: Rules, names: Names) -> Iterator[str]:
    """Yield which products earn more points, and which none."""
    for tag, factor in rules.multipliers:
        if tag in names and factor > 1:
            yield _("Products in %(categories)s earn %(factor)s times the points.") % {
                "categories": _in_words([tag], names),
                "factor": multiplier(factor),
            }
    if excluded := _in_words(rules.excluded_tags, names):
        yield _("Products in %(categories)s earn no points.") % {"categories": excluded}
    several = [*rules.multipliers, *(each for each in rules.campaigns if each.multiplier > 1)]
    if len(several) > 1:
        yield _("Where a product could earn several times more, the highest number counts.")
    multiplies = bool(several) or has_multipliers(rules)
    if multiplies and rules.base_rounding is not None and rules.base_rounding != rules.rounding:
        yield _("A fraction of a point is dropped before points are multiplied.")


def campaigns(rules: Rules, names: Names, *, now: datetime) -> Iterator[str]:
    """Yield what each campaign that runs or is to come gives, and when."""
    for campaign in rules.campaigns:
        covered = _in_words(campaign.tags, names)
        if campaign.ends_at > now and (covered or not campaign.tags):
            yield from _campaign(campaign, covered)


def _campaign(campaign: CampaignRule, covered: str) -> Iterator[str]:
    what = {"campaign": _(campaign.name), "period": _period(campaign), "categories": covered}
    if campaign.multiplier > 1:
        yield (
            _("%(campaign)s, %(period)s: products in %(categories)s earn %(factor)s times the points.")
            if covered
            else _("%(campaign)s, %(period)s: products earn %(factor)s times the points.")
        ) % {**what, "factor": multiplier(campaign.multiplier)}
    if campaign.addition:
        yield (
            _("%(campaign)s, %(period)s: an order with a product in %(categories)s earns %(points)s more.")
            if covered
            else _("%(campaign)s, %(period)s: an order earns %(points)s more.")
        ) % {**what, "points": points(campaign.addition)}


def _period(campaign: CampaignRule) -> str:
    first, end = day_of(campaign.starts_at), campaign.ends_at
    if campaign.starts_at == midnight(first) and end == midnight(day_of(end)):
        last = day_of(end - timedelta(seconds=1))
        if first == last:
            return _("on %(day)s") % {"day": formats.day(first)}
        return _("from %(first)s to %(last)s") % {"first": formats.day(first), "last": formats.day(last)}
    return _("from %(first)s to %(last)s") % {"first": formats.moment(campaign.starts_at), "last": formats.moment(end)}


def redeeming(rules: Rules) -> Iterator[str]:
    """Yield what points are worth and how many an order can use."""
    if rules.redeem_paused:
        yield _("At the moment points cannot be used. You keep those that you have.")
    yield _("%(points)s are worth %(amount)s.") % {
        "points": points(rules.redeem_points),
        "amount": rupees(rules.redeem_value),
    }
    yield _("You can use points in increments of %(increment)s, starting at %(minimum)s.") % {
        "increment": formats.number(rules.increment),
        "minimum": formats.number(rules.minimum_points),
    }
    if rules.maximum_points is not None:
        yield _("One order can use %(points)s at most.") % {"points": points(rules.maximum_points)}
    if rules.maximum_percent < 100:
        yield _("Points can pay up to %(percent)s%% of an order.") % {"percent": formats.number(rules.maximum_percent)}
    yield _("Points pay for products first, then for delivery.")
    yield _("What is left to pay at Khalti is nothing, or %(amount)s or more.") % {"amount": rupees(KHALTI_MINIMUM)}


def validity(rules: Rules) -> Iterator[str]:
    """Yield when points can be used, and until when."""
    if rules.pending_days:
        yield ngettext(
            "You can use points %(days)s day after you have earned them.",
            "You can use points %(days)s days after you have earned them.",
            rules.pending_days,
        ) % {"days": formats.number(rules.pending_days)}
    else:
        yield _("You can use points as soon as you have earned them.")
    if rules.valid_months is None:
        yield _("Points do not expire.")
        return
    months = {"months": formats.number(rules.valid_months)}
    if rules.month_end:
        yield (
            ngettext(
                "From then on they are valid for %(months)s month, to the end of that month in Nepal.",
                "From then on they are valid for %(months)s months, to the end of that month in Nepal.",
                rules.valid_months,
            )
            % months
        )
    else:
        yield (
            ngettext(
                "From then on they are valid for %(months)s month, to the end of the last day in Nepal.",
                "From then on they are valid for %(months)s months, to the end of the last day in Nepal.",
                rules.valid_months,
            )
            % months
        )
    yield _("Points that expire first are used first.")
    if rules.notice_days:
        yield ngettext(
            "You get a notice %(days)s day before points expire.",
            "You get a notice %(days)s days before points expire.",
            rules.notice_days,
        ) % {"days": formats.number(rules.notice_days)}


def tiers(rules: Rules) -> Iterator[str]:
    """Yield how each tier is reached and what it gives; nothing where there is one tier that gives no more."""
    if not has_tiers(rules):
        return
    for tier in rules.tiers:
        yield f"{_(tier.name)}: {', '.join(tier_gives(tier))}."
    if has_multipliers(rules):
        yield _("Your tier multiplies what products and campaigns give, but no fixed numbers of points.")
    yield (
        _("All points that you have ever earned count for your tier.")
        if rules.tier_basis is TierBasis.LIFETIME
        else _("The points that you have earned in the last 365 days count for your tier.")
    )
    yield _("You reach a higher tier at once.")
    if rules.tier_grace_days:
        yield ngettext(
            "With too few points for your tier you keep it for %(days)s more day.",
            "With too few points for your tier you keep it for %(days)s more days.",
            rules.tier_grace_days,
        ) % {"days": formats.number(rules.tier_grace_days)}
    else:
        yield _("With too few points for your tier you move to the one below at once.")


def has_multipliers(rules: Rules) -> bool:
    """Return whether a tier multiplies points."""
    return any(tier.multiplier != 1 for tier in rules.tiers)


def has_tiers(rules: Rules) -> bool:
    """Return whether tiers matter to a customer."""
    return len(rules.tiers) > 1 or rules.tiers[0].multiplier != 1


def tier_gives(tier: Tier) -> Iterator[str]:
    """Yield from how many points a tier begins, and how many times the points it gives; parts of a sentence."""
    if tier.threshold:
        yield _("from %(points)s earned") % {"points": points(tier.threshold)}
    else:
        yield _("from the start")
    if tier.multiplier != 1:
        yield _("%(factor)s times the points") % {"factor": multiplier(tier.multiplier)}


def refunds(rules: Rules) -> Iterator[str]:
    """Yield what a refund does to points."""
    texts: dict[Rounding, Callable[[], str]] = {
        Rounding.HALF_UP: lambda: _(
            "A refund takes back the points that the refunded part earned, rounded to the nearest point."
        ),
        Rounding.FLOOR: lambda: _("A refund takes back the points that the refunded part earned, rounded down."),
        Rounding.CEIL: lambda: _("A refund takes back the points that the refunded part earned, rounded up."),
    }
    yield texts[rules.refund_rounding]()
    yield {
        Shortfall.OWE: _("If you have used them already, your next points make up for them."),
        Shortfall.FORGIVE: _("If you have used them already, you keep what you got for them."),
        Shortfall.PENDING_ONLY: _("Only points that you cannot use yet are taken back."),
    }[rules.shortfall]
    yield _("Points that you used for the refunded part are returned, and keep their expiry date.")
    if rules.restore_grace_days and rules.valid_months is not None:
        yield ngettext(
            "Returned points are valid for %(days)s more day at least.",
            "Returned points are valid for %(days)s more days at least.",
            rules.restore_grace_days,
        ) % {"days": formats.number(rules.restore_grace_days)}
    yield _("If a payment is not completed, the points reserved for it are yours again at once.")


def points(number: int) -> str:
    """Return a number of points in words: "1,200 points"."""
    return ngettext("%(number)s point", "%(number)s points", number) % {"number": formats.number(number)}


def multiplier(factor: Fraction) -> str:
    """Return a multiplier as a decimal, ``1.5``; as a fraction where no decimal is exact."""
    whole, rest = divmod(factor * 10_000, 1)
    if rest:
        return formats.digits(factor)
    typed = f"{whole:05d}"
    return formats.digits(f"{typed[:-4]}.{typed[-4:]}".rstrip("0").rstrip("."))


def _in_words(tags: "tuple[str, ...] | list[str]", names: Names) -> str:
    """Return the names of the categories that still exist: "Pens, Lokta › Blue"."""
    return ", ".join(names[tag] for tag in tags if tag in names)
