"""The points card as its member sees it, and what a customer reads about points after an order."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.flow.counter.receipt_text import sales_of
from loyalink_khalti.flow.program.terms import ProgramTerms, TierTerms, program_terms
from loyalink_khalti.flow.verification.apply import order_snapshot
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import HistoryLine, Membership, PointsByDay, PointsCard, PointsHistory
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.money import Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.counter_sales import CounterSale
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.ports import PAID_LATER

from .history_texts import block_text, counter_text, history_text

OrderPages = Mapping[str, Callable[[Collection[str]], Mapping[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberHistoryLine:
    """One line of a member's history; ``points`` is what it adds to the balance, and ``balance`` the one after it."""

    at: datetime
    kind: str
    text: str
    points: int
    balance: int
    shop: str
    ref: str
    """The purchase in its shop, "" where there is none."""
    order_url: str = ""
    """The page of its order, "" where the member has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberHistory:
    """A page of a member's history, the newest line first: ``opening`` and all lines sum to ``closing``."""

    lines: tuple[MemberHistoryLine, ...]
    opening: int
    closing: int
    older: int | None
    """What ``before`` of the next, older page is; None on the last page."""
    is_newest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCard:
    """All that the page of a member's points shows."""

    card: PointsCard
    tier: TierTerms | None
    """None where the programme has but one tier."""
    next_tier: TierTerms | None
    """None at the top."""
    expiry: tuple[PointsByDay, ...]
    pending: tuple[PointsByDay, ...]
    membership: Membership
    terms: ProgramTerms
    block_text: str
    """Why the points are blocked, "" where they are not."""
    history: MemberHistory
    shop: conf.ShopDetails
    has_counter: bool
    """Whether the shop gives points at a counter: the first sale there is recorded."""

    @property
    def is_active(self) -> bool:
        """Whether the member earns points: the account has not ended, and the member has not left."""
        return not self.card.merged_at and not self.card.left_at

    @property
    def is_new(self) -> bool:
        """Whether nothing has happened on the card yet: how to earn points comes first then."""
        return self.is_active and not self.history.lines and self.history.is_newest

    @property
    def has_accepted(self) -> bool:
        """Whether the member has accepted the terms of now."""
        return self.membership.terms_version == self.terms.version


def member_card(
    *, site_key: str, member_id: str, before: str = "", order_pages: OrderPages | None = None
) -> MemberCard:
    """Return a member's card with the newest page of their history, or that before a place in it.

    ``before`` is such a place as an address has it; what is none means the newest page. ``order_pages`` has, by the
    name of a shop, a function that returns the addresses of the member's own orders by their refs. At most 15 queries
    and its own, however long the history is; one more where a line is of a counter sale.
    """
    account = ledger.own_account(site_key, member_id)
    rules, terms = ledger.current_version(site_key).rules, program_terms(site_key)
    card = ledger.balance_card(account, rules) if account else ledger.points_card(site_key, member_id)
    return MemberCard(
        card=card,
        tier=_tier(terms, card.tier),
        next_tier=_tier(terms, card.next_tier),
        expiry=ledger.points_by_expiry(account) if account and card.available else (),
        pending=ledger.pending_by_day(account) if account and card.pending else (),
        membership=ledger.membership(account),
        terms=terms,
        block_text=block_text(card.block_reason) if card.is_blocked else "",
        history=member_history(account, before=_place(before), order_pages=order_pages),
        shop=conf.shop_details(site_key),
        has_counter=CounterSale.objects.filter(site_key=site_key).exists(),
    )


def _place(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _tier(terms: ProgramTerms, name: str) -> TierTerms | None:
    return next((tier for tier in terms.tiers if tier.key == name), None)


def member_history(
    account: Account | None, *, before: int | None = None, size: int = 20, order_pages: OrderPages | None = None
) -> MemberHistory:
    """Return a page of an account's history with its texts in the reader's language."""
    page = ledger.points_history(account, before=before, size=size)
    urls = _order_urls(page, order_pages or {})
    sales = sales_of(line.purchase for line in page.lines)
    return MemberHistory(
        lines=tuple(_history_line(line, urls, sales.get(line.purchase)) for line in page.lines),
        opening=page.opening, closing=page.closing,
        older=page.older, is_newest=page.is_newest,
    )  # fmt: skip


def _history_line(line: HistoryLine, urls: Mapping[str, str], sale: CounterSale | None) -> MemberHistoryLine:
    shop, _colon, ref = line.purchase.partition(":")
    text = history_text(line)
    if sale is not None:
        text, ref = counter_text(text, sale.bill_number), sale.bill_number
    return MemberHistoryLine(
        at=line.at, kind=line.kind, text=text, points=line.points, balance=line.balance, shop=shop,
        ref=ref, order_url=urls.get(line.purchase, ""),
    )  # fmt: skip


def _order_urls(page: PointsHistory, order_pages: OrderPages) -> dict[str, str]:
    urls: dict[str, str] = {}
    for shop, pages in order_pages.items():
        prefix = f"{shop}:"
        refs = {line.purchase.removeprefix(prefix) for line in page.lines if line.purchase.startswith(prefix)}
        if refs:
            urls |= {f"{prefix}{ref}": url for ref, url in pages(refs).items()}
    return urls


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsAfterOrder:
    """What a member reads about points on the page of an order that is placed."""

    earned: Points
    """Points that the order has earned; 0 while its money is awaited."""
    expected: Points
    """Points that it earns when its money has arrived."""
    available_from: date | None
    """The day from which earned points can be used; None where they can be used now."""
    card: PointsCard
    tier: str
    """In the reader's language."""
    has_tiers: bool


def points_after_order(purchase: Purchase) -> PointsAfterOrder | None:
    """Return the new balance of an order's member and the way to the next tier; at most five queries.

    None for a guest's order, for one that is not placed, and for a member who has left or whose account has ended.
    """
    if not purchase.earner or purchase.state != PurchaseState.PLACED:
        return None
    account = ledger.own_account(purchase.site_key, purchase.earner)
    if account is not None and (account.has_ended or account.left_at):
        return None
    rules = ledger.current_version(purchase.site_key).rules
    card = ledger.balance_card(account, rules) if account else ledger.points_card(purchase.site_key, purchase.earner)
    return PointsAfterOrder(
        earned=Points(purchase.earned),
        expected=_expected(purchase, account),
        available_from=_available_from(purchase) if purchase.earned and card.pending else None,
        card=card,
        tier=_(card.tier),
        has_tiers=len(rules.tiers) > 1,
    )


def _expected(purchase: Purchase, account: Account | None) -> Points:
    """What an order earns when its money arrives, as its customer was shown it."""
    is_awaited = purchase.method in PAID_LATER and purchase.received_at is None and not purchase.earned
    if not is_awaited or purchase.rules_version is None or purchase.refunds.exists():
        return Points(0)
    if account is not None and not account.earns_for_order(purchase.created_at):
        return Points(0)
    rules = ledger.get_version(purchase.rules_version).rules
    history = ledger.order_history(account, rules, purchase=purchase.key)
    return order_snapshot(purchase).earned(rules, tier=account.tier if account else "", history=history).points


def _available_from(purchase: Purchase) -> date | None:
    lots = Lot.objects.filter(source=f"award:{purchase.key}", pending__gt=0)
    available_at = lots.values_list("available_at", flat=True).first()
    return day_of(available_at) if available_at else None
