"""A member's points card and history, page by page, and the rules of the programme as text for customers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import AccountMerged, TermsChanged
from loyalink_khalti.loyalty import ledger

from .callers import Caller
from .problems import Kind, Problem


def member_of(caller: Caller) -> str:
    """Return the member's id. Raises ``Problem`` for a guest."""
    if caller.member_id is None:
        raise Problem(Kind.NOT_AUTHENTICATED)
    return caller.member_id


def show_card(caller: Caller) -> dict[str, Any]:
    """Return the member's points, tier, what expires or is pending, and the membership; ``points_value`` in paisa."""
    shown = flow.member_card(site_key=conf.site_key(caller.request), member_id=member_of(caller))
    card = shown.card
    names = (
        "available", "pending", "held", "owed", "points_value", "lifetime_earned", "lifetime_redeemed",
        "points_to_next", "progress",
    )  # fmt: skip
    expiring = [{"points": each.points, "last_day": each.last_day} for each in card.expiring]
    tiers = {"tier": _(card.tier), "next_tier": _(card.next_tier) if card.next_tier else None}
    lists = {
        "expiring": expiring,
        "by_expiry": [{"points": each.points, "last_day": each.day} for each in shown.expiry],
        "pending_by_day": [{"points": each.points, "from_day": each.day} for each in shown.pending],
    }
    return {name: getattr(card, name) for name in names} | tiers | lists | {"membership": _membership(shown)}


def _membership(shown: flow.MemberCard) -> dict[str, Any]:
    """Whether the member may earn and use points, and which terms they have accepted."""
    found = shown.membership
    return {
        "status": "merged" if found.has_ended else "left" if found.left_at else "member",
        "since": found.joined_at,
        "left_at": found.left_at,
        "accepted_at": found.accepted_at,
        "accepted_version": found.terms_version or None,
        "terms_version": shown.terms.version,
        "blocked": shown.block_text or None,
    }


def accept_terms(caller: Caller, *, version: str) -> dict[str, Any]:
    """Record that the member accepts the terms of this version, and return the card.

    Raises ``Problem`` where the terms are others by now, and where the account has ended.
    """
    with _refusals():
        flow.accept_terms(site_key=conf.site_key(caller.request), member_id=member_of(caller), version=version)
    return show_card(caller)


def leave(caller: Caller) -> dict[str, Any]:
    """Let the member leave the programme, and return the card. Raises ``Problem`` where the account has ended."""
    with _refusals():
        flow.leave_program(site_key=conf.site_key(caller.request), member_id=member_of(caller))
    return show_card(caller)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (TermsChanged, AccountMerged) as exc:
        raise Problem(Kind.MEMBERSHIP, str(exc)) from exc


def show_history(caller: Caller, *, before: int | None, size: int) -> dict[str, Any]:
    """Return ``size`` lines of the member's history, the newest first, or those before a place in it.

    ``opening`` and the points of all lines sum to ``closing``. Entries are only added: a place means the same later.
    """
    account = ledger.own_account(conf.site_key(caller.request), member_of(caller))
    page = flow.member_history(account, before=before, size=size)
    lines = [
        {
            "at": line.at,
            "kind": line.kind,
            "text": line.text,
            "points": line.points,
            "balance": line.balance,
            "shop": line.shop or None,
            "reference": line.ref or None,
        }
        for line in page.lines
    ]
    return {"entries": lines, "opening": page.opening, "closing": page.closing, "before": page.older}


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
