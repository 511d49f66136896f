"""The entries of an account as staff read them, the newest first. Nobody edits or deletes one."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from wagtail.admin.paginator import WagtailPaginator

from loyalink_khalti.backoffice.links import order_url
from loyalink_khalti.flow import people
from loyalink_khalti.flow.holds import purchases_of
from loyalink_khalti.flow.people import Person
from loyalink_khalti.loyalty.card import Movement, movement
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.staff.reasons import reason_in_words

A_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry: what moved, why, for which order, by whom; ``actor`` is "" where nobody of the staff did it."""

    movement: Movement
    reason: str
    note: str
    actor: str
    order: str
    order_url: str


class HistoryPaginator(WagtailPaginator):
    """Counts nothing: the account has numbered its entries."""

    def __init__(self, account: Account) -> None:
        self.account = account
        super().__init__(account.entries.order_by("-seq").select_related("note"), A_PAGE)

    @cached_property
    def count(self) -> int:
        return int(self.account.seq)


def lines(entries: Iterable[Entry]) -> list[Line]:
    """Entries in words; the names of all that did something, and the orders, by one query each."""
    entries = list(entries)
    actors = people.who({entry.actor for entry in entries})
    purchases = purchases_of(entry.purchase for entry in entries)
    return [_line(entry, actors, purchases.get(entry.purchase)) for entry in entries]


def _line(entry: Entry, actors: dict[str, Person], purchase: Purchase | None) -> Line:
    return Line(
        movement=movement(entry),
        reason=reason_in_words(entry.reason_code),
        note=entry.note.text if hasattr(entry, "note") else "",
        actor=str(actors.get(entry.actor, entry.actor)) if entry.actor else "",
        order=purchase.number or purchase.ref if purchase else entry.purchase.partition(":")[2],
        order_url=order_url(purchase) if purchase else "",
    )
