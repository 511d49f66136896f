"""A member's points card and history, page by page, and the rules of the programme as text for customers."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalink_khalti import conf, flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.buckets import EntryKind
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.money import npr
from loyalink_khalti.nepal import group_digits

from .callers import Caller
from .problems import Kind, Problem


def member_of(caller: Caller) -> str:
    """Return the member's id. Raises ``Problem`` for a guest."""
    if caller.member_id is None:
        raise Problem(Kind.NOT_AUTHENTICATED)
    return caller.member_id


def show_card(caller: Caller) -> dict[str, Any]:
    """Return the member's points, tier and what expires soon; ``points_value`` in paisa."""
    card = flow.points_card(conf.site_key(caller.request), member_of(caller))
    names = (
        "available", "pending", "held", "owed", "points_value", "lifetime_earned", "lifetime_redeemed",
        "points_to_next", "progress",
    )  # fmt: skip
    expiring = [{"points": each.points, "last_day": each.last_day} for each in card.expiring]
    tiers = {"tier": _(card.tier), "next_tier": _(card.next_tier) if card.next_tier else None}
    return {name: getattr(card, name) for name in names} | tiers | {"expiring": expiring}


def show_history(caller: Caller, *, before: int | None, size: int) -> dict[str, Any]:
    """Return ``size`` entries of the member's history, the newest first, or those before a place in it.

    A place is the number of older entries: entries are only added, so it means the same later. An order's points are
    deducted when they are held, so the entry that captures them is not listed.
    """
    account = ledger.own_account(conf.site_key(caller.request), member_of(caller))
    if account is None:
        return {"entries": [], "before": None}
    listed = ledger.newest_entries(account).exclude(kind=EntryKind.CAPTURE)
    total = listed.count()
    older = total if before is None else min(before, total)
    page = list(listed[total - older : total - older + size])
    captured = _captured(account, page)
    left = older - len(page)
    return {"entries": [_show_entry(entry, captured) for entry in page], "before": left if left > 0 and page else None}


def _captured(account: Account, page: list[Entry]) -> set[str]:
    """Return the purchases of held points in a page that were used since."""
    held = [entry.purchase for entry in page if entry.kind == EntryKind.HOLD]
    if not held:
        return set()
    captures = Entry.objects.filter(account__in=account.with_merged(), kind=EntryKind.CAPTURE, purchase__in=held)
    return set(captures.values_list("purchase", flat=True))


def _show_entry(entry: Entry, captured: set[str]) -> dict[str, Any]:
    shown = ledger.card_entry(entry)
    is_used = entry.kind == EntryKind.HOLD and entry.purchase in captured
    shop, _colon, ref = shown.purchase.partition(":")
    return {
        "at": shown.at,
        "kind": shown.kind,
        "text": str(EntryKind.CAPTURE.label if is_used else shown.label),
        "points": shown.points,
        "shop": shop or None,
        "reference": ref or None,
    }


def show_program(caller: Caller) -> dict[str, Any]:
    """Return the programme's name and text, by its editors, and its rules as sentences."""
    site_key = conf.site_key(caller.request)
    texts, rules = conf.program_texts(site_key), ledger.current_version(site_key).rules
    return {"name": texts.name, "text": texts.text, "rules": list(rule_sentences(rules))}


def rule_sentences(rules: Rules) -> Iterator[str]:
    """Yield what a customer has to know of the rules, a sentence for each."""
    if rules.earn_paused:
        yield _("At the moment orders earn no points.")
    else:
        yield from _earning(rules)
    if rules.redeem_paused:
        yield _("At the moment points cannot be used.")
    else:
        yield from _redeeming(rules)
    yield from _validity(rules)
    yield from (_tier(tier) for tier in rules.tiers[1:])


def _earning(rules: Rules) -> Iterator[str]:
    rate = _("You earn %(points)s for every full %(amount)s.") if rules.stepwise else _(
        "You earn %(points)s for every %(amount)s."
    )  # fmt: skip
    yield rate % {"points": _points(rules.points), "amount": npr(rules.per)}
    if not rules.earn_on_shipping:
        yield _("Delivery earns no points.")
    if rules.minimum_order:
        yield _("Orders of %(amount)s or more earn points.") % {"amount": npr(rules.minimum_order)}
    if rules.maximum_earned is not None:
        yield _("One order earns %(points)s at most.") % {"points": _points(rules.maximum_earned)}
    if rules.first_order_bonus:
        yield _("Your first order earns %(points)s more.") % {"points": _points(rules.first_order_bonus)}
    if rules.signup_bonus:
        yield _("A new account gets %(points)s.") % {"points": _points(rules.signup_bonus)}


def _redeeming(rules: Rules) -> Iterator[str]:
    worth = {"points": _points(rules.redeem_points), "amount": npr(rules.redeem_value)}
    yield _("You can pay %(amount)s of an order with %(points)s.") % worth
    yield _("You can use points in increments of %(increment)s, starting at %(minimum)s.") % {
        "increment": group_digits(rules.increment),
        "minimum": group_digits(rules.minimum_points),
    }
    if rules.maximum_points is not None:
        yield _("One order can use %(points)s at most.") % {"points": _points(rules.maximum_points)}
    if rules.maximum_percent < 100:
        yield _("Points can pay up to %(percent)s%% of an order.") % {"percent": rules.maximum_percent}


def _validity(rules: Rules) -> Iterator[str]:
    if rules.pending_days:
        yield ngettext(
            "You can use points %(days)s day after you have earned them.",
            "You can use points %(days)s days after you have earned them.",
            rules.pending_days,
        ) % {"days": rules.pending_days}
    if rules.valid_months is None:
        yield _("Points do not expire.")
    else:
        yield ngettext(
            "Points expire after %(months)s month.", "Points expire after %(months)s months.", rules.valid_months
        ) % {"months": rules.valid_months}


def _tier(tier: Tier) -> str:
    if tier.multiplier == 1:
        return _("%(tier)s: from %(points)s earned.") % {"tier": _(tier.name), "points": _points(tier.threshold)}
    return _("%(tier)s: from %(points)s earned, you earn %(factor)s times the points.") % {
        "tier": _(tier.name),
        "points": _points(tier.threshold),
        "factor": f"{float(tier.multiplier):g}",
    }


def _points(number: int) -> str:
    return ngettext("%(number)s point", "%(number)s points", number) % {"number": group_digits(number)}
