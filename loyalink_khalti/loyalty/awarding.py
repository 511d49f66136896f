"""Points that come: for a purchase, for signing up, and when a waiting time is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from loyalink_khalti.errors import Conflict
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Line

from . import earning, programmes, tiers
from .accounts import first_time, lock_account, open_account, survivor
from .book import Book, waiting
from .expiry import expires_at
from .models import Bucket, Kind, Lot
from .orders import OrderAward, RefundApplied
from .refunding import claw_back
from .rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """What a purchase earns on, as the shopper was shown it; money in paisa."""

    lines: Sequence[Line]
    shipping: Paisa
    discount: Paisa
    worth: Paisa
    """What points paid of it."""
    at: datetime

    @property
    def goods(self) -> Paisa:
        return Paisa(sum(line.total for line in self.lines))

    def earns(self, rules: Rules, *, tier: str, first: bool) -> earning.Earned:
        return earning.earn(
            rules, lines=self.lines, shipping=self.shipping, discount=self.discount, worth=self.worth, at=self.at,
            tier=tier, first=first,
        )  # fmt: skip


def award(*, site_key: str, member_id: str, purchase: str, bought: Bought, version_id: int | None = None) -> Points:
    """Give the points that a purchase has earned, by the rules that its shopper was shown, once."""
    version = programmes.version(version_id) if version_id else programmes.current(site_key)
    book = lock_account(site_key, member_id, purchase=purchase, version_id=version.pk)
    account = book.account
    first = not account.awards.exclude(purchase=purchase).exists() if version.rules.first_order_bonus else False
    earned = bought.earns(version.rules, tier=account.tier, first=first)
    row = OrderAward(
        program=account.program, purchase=purchase, account=account, version=version,
        proportional=earned.proportional, fixed=earned.fixed, basis=earned.basis,
    )  # fmt: skip
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return _awarded_before(row, bought)
    _earn(book, earned.points, version.rules, key=f"award:{purchase}", at=timezone.now())
    refund = RefundApplied.objects.filter(purchase=purchase).order_by("-cumulative").first()
    if refund is not None:  # refunded before it was paid in full, cash on delivery say
        book.refund_ref = refund.refund_ref
        claw_back(book, row, so_far=Paisa(refund.cumulative), goods_total=bought.goods)
    tiers.follow(book, programmes.current(site_key).rules)
    book.close()
    return earned.points


def sign_up(*, site_key: str, member_id: str) -> Points:
    """Give the bonus for signing up, once; 0 where there is none."""
    version = programmes.current(site_key)
    bonus = version.rules.sign_up_bonus
    if not bonus or version.rules.earn_paused:
        return Points(0)
    with transaction.atomic():
        account = open_account(site_key, member_id)
        if not first_time(f"{account.program_id}:signup", str(account.pk), ""):  # whatever the bonus was then
            return Points(0)
        book = Book.locked(account.pk, reason="sign_up", version_id=version.pk)
        grow(book, bonus, Kind.ADJUST, Bucket.ADJUSTED, version.rules, key=f"signup:{account.pk}")
        book.close()
    return bonus


def activate(account_id: int) -> Points:
    """Make points available whose waiting time is over; return how many."""
    book = Book.locked(account_id)
    lots = list(Lot.objects.filter(waiting(timezone.now()), account=account_id).order_by("available_at", "pk"))
    points = sum(lot.pending for lot in lots)
    for lot in lots:
        book.move(Kind.ACTIVATE, Bucket.PENDING, Bucket.AVAILABLE, lot.pending, key=f"activate:{lot.pk}", lot=lot)
        lot.remaining, lot.pending = lot.remaining + lot.pending, 0
    Lot.objects.bulk_update(lots, ["remaining", "pending"])
    book.repay()
    book.close()
    return Points(points)


def grow(
    book: Book, points: int, kind: Kind, src: Bucket, rules: Rules, *, key: str, expires_at: datetime | None = None
) -> None:
    """Add points that can be spent at once, in a lot of their own that expires as the rules or the caller say."""
    now = timezone.now()
    lot = book.new_lot(points, source=key, available_at=now, expires_at=expires_at or _expiry(rules, now))
    book.move(kind, src, Bucket.AVAILABLE, points, key=key, lot=lot)
    book.repay()


def _earn(book: Book, points: int, rules: Rules, *, key: str, at: datetime) -> None:
    if not points:
        return
    available_at = at + timedelta(days=rules.waiting_days)
    lot = book.new_lot(points, source=key, available_at=available_at, expires_at=_expiry(rules, available_at))
    dst = Bucket.PENDING if lot.pending else Bucket.AVAILABLE
    book.move(Kind.EARN, Bucket.ISSUED, dst, points, key=key, lot=lot)
    book.repay()


def _expiry(rules: Rules, available_at: datetime) -> datetime | None:
    return expires_at(available_at, months=rules.valid_months, month_end=rules.month_end)


def _awarded_before(row: OrderAward, bought: Bought) -> Points:
    awards = OrderAward.objects.select_related("account", "version")
    earlier = awards.get(program=row.program, purchase=row.purchase)
    basis = bought.earns(earlier.version.rules, tier="", first=False).basis  # the rules may have changed since
    if basis != earlier.basis or survivor(earlier.account) != row.account:
        raise Conflict(f"awarded before with other figures: {earlier}")
    return Points(earlier.proportional + earlier.fixed)
