"""The history on a member's points card, with links to the orders that the member can open."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from loyalink_khalti.loyalty.buckets import EntryKind
from loyalink_khalti.loyalty.ledger import CardEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One line of a member's points history."""

    at: datetime
    text: str
    points: int
    order_number: str
    """An order that the member can open, "" if there is none."""


def purchase_refs(entries: Iterable[CardEntry], *, shop: str) -> dict[str, str]:
    """Return the ``ref`` of each purchase of this shop in a points card's entries, by the purchase's key."""
    prefix = f"{shop}:"
    return {entry.purchase: entry.purchase.removeprefix(prefix) for entry in entries if entry.purchase}


def points_history(entries: Collection[CardEntry], *, shop: str, visible_orders: Collection[str]) -> list[HistoryLine]:
    """Return a points card's entries as lines to show, newest first.

    ``visible_orders`` are the refs of the member's orders that have a page. Points are deducted when they are held, so
    a hold and its capture are one line, with the capture's text.
    """
    refs = purchase_refs(entries, shop=shop)
    captured = {entry.purchase: entry.label for entry in entries if entry.kind == EntryKind.CAPTURE}
    return [
        HistoryLine(
            at=entry.at,
            text=str(captured.get(entry.purchase, entry.label) if entry.kind == EntryKind.HOLD else entry.label),
            points=entry.points,
            order_number=ref if (ref := refs.get(entry.purchase, "")) in visible_orders else "",
        )
        for entry in entries
        if entry.kind != EntryKind.CAPTURE
    ]
