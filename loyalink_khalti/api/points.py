"""A member's points card and history, page by page, and the rules of the programme as text for customers."""

from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti import conf, flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.buckets import EntryKind
from loyalink_khalti.loyalty.models import Account, Entry

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
    """Return the programme's name and text, by its editors, its terms with their version, and its tiers."""
    terms = flow.program_terms(conf.site_key(caller.request))
    sections = [{name: getattr(each, name) for name in ("key", "heading", "sentences")} for each in terms.sections]
    tiers = [
        {"name": each.name, "threshold": each.threshold, "gives": each.gives, "multiplier": float(each.multiplier)}
        for each in terms.tiers
    ]
    return {
        "name": terms.name,
        "text": terms.text,
        "version": terms.version,
        "valid_from": terms.valid_from,
        "rules": terms.sentences,
        "sections": sections,
        "tiers": tiers,
    }
