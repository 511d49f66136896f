"""Short helpers for worked examples of the ledger: an account, its verbs, and a check of all invariants."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import pytest
from django.db.models import F, Sum
from django.utils import timezone

from loyalink_khalti.loyalty import audit, ledger
from loyalink_khalti.loyalty.buckets import Bucket, EntryKind, HoldState
from loyalink_khalti.loyalty.ledger import OrderSnapshot, RefundedPoints
from loyalink_khalti.loyalty.models import Account, Entry, Hold, Lot
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption, RefundApplied
from loyalink_khalti.loyalty.program import ProgramVersion
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import KATHMANDU
from loyalink_khalti.ports import Line

SITE, MEMBER = "default", "7"


@pytest.fixture
def account(db: None) -> Account:
    return Account.objects.create(program=ledger.current_version(SITE).program, member_id=MEMBER)


@pytest.fixture
def lot(account: Account) -> Callable[..., Lot]:
    """Add points in a lot of their own with the expiry of the example."""

    def add(points: int, *, expires_at: datetime | None) -> Lot:
        adjust(points, f"lot {Lot.objects.count()}")
        new = Lot.objects.latest("pk")
        Lot.objects.filter(pk=new.pk).update(expires_at=expires_at)
        return new

    return add


# What an example does


def set_rules(**chosen: Any) -> ProgramVersion:
    """Set these rules; the others have their defaults."""
    return ledger.set_rules(SITE, Rules(**chosen))


def line(total: int, *tags: str, earns: bool = True) -> Line:
    """One line of a Cart, in paisa."""
    return Line(sku="pen", title="Pen", quantity=1, unit=Paisa(total), total=Paisa(total), tags=tags, earns=earns)


def order_of(
    lines: int | Sequence[Line], *, points_value: int = 0, shipping: int = 0, discount: int = 0
) -> OrderSnapshot:
    """An order of products, in paisa or as lines."""
    return OrderSnapshot(
        lines=(line(lines),) if isinstance(lines, int) else lines,
        shipping=Paisa(shipping),
        discount=Paisa(discount),
        points_value=Paisa(points_value),
        at=timezone.now(),
    )


def award(
    subtotal: int | Sequence[Line],
    purchase: str = "shop:1",
    *,
    member_id: str = MEMBER,
    version: ProgramVersion | None = None,
    **more: int,
) -> int:
    return ledger.award(
        site_key=SITE,
        member_id=member_id,
        purchase=purchase,
        order=order_of(subtotal, **more),
        version_id=version.pk if version else None,
    )


def adjust(points: int, key: str = "1", *, member_id: str = MEMBER) -> int:
    return ledger.adjust(site_key=SITE, member_id=member_id, points=points, key=key, reason="example")


def hold(points: int, purchase: str = "shop:1", *, member_id: str = MEMBER) -> Hold:
    return ledger.hold(site_key=SITE, member_id=member_id, purchase=purchase, points=Points(points))


def capture(purchase: str = "shop:1", value: int = 1000, points: int | None = None) -> int:
    return ledger.capture(purchase=purchase, value=Paisa(value), points=Points(points) if points is not None else None)


def release(purchase: str = "shop:1") -> int:
    return ledger.release(purchase=purchase)


def late_capture(points: int, purchase: str = "shop:1", value: int = 1000) -> int:
    return ledger.late_capture(
        site_key=SITE, member_id=MEMBER, purchase=purchase, points=Points(points), value=Paisa(value)
    )


def redeem(points: int, purchase: str) -> None:
    hold(points, purchase)
    capture(purchase)


def refund(so_far: int, of: int, purchase: str = "shop:1", *, ref: str = "") -> tuple[int, int]:
    """Refund ``so_far`` paisa of a purchase in all; return the points restored and clawed back."""
    done: RefundedPoints = ledger.refund(
        purchase=purchase, refund_ref=ref or f"to {so_far}", refunded_so_far=Paisa(so_far), subtotal=Paisa(of)
    )
    return done.points_restored, done.points_clawed_back


def refund_parts(
    products: tuple[int, int], shipping: tuple[int, int], purchase: str = "shop:1", *, ref: str = ""
) -> tuple[int, int]:
    """Refund so much of the products and so much of the delivery in all: (so far, of), in paisa before points."""
    figures = {
        "refunded_so_far": Paisa(products[0]),
        "subtotal": Paisa(products[1]),
        "shipping_so_far": Paisa(shipping[0]),
        "shipping": Paisa(shipping[1]),
    }
    ref = ref or f"to {products[0]} and {shipping[0]}"
    is_new = not RefundApplied.objects.filter(purchase=purchase, refund_ref=ref).exists()
    preview = ledger.preview_refund(purchase=purchase, **figures)
    done = ledger.refund(purchase=purchase, refund_ref=ref, **figures)
    assert done == preview or not is_new
    return done.points_restored, done.points_clawed_back


def refunds(parts: Iterable[int], of: int, purchase: str = "shop:1") -> list[tuple[int, int]]:
    """Refund one part after the other; return the points restored and clawed back by each."""
    sums = [sum(list(parts)[: number + 1]) for number in range(len(list(parts)))]
    return [refund(so_far, of, purchase, ref=f"part {number}") for number, so_far in enumerate(sums)]


def sweep() -> dict[str, int]:
    """Run the sweep; return the points by what was done to them."""
    done: Counter[str] = Counter()
    for result in ledger.sweep():
        done[result.action] += result.points
    return dict(done)


# What an example looks at


def balances() -> tuple[int, int, int]:
    """Check the ledger; return the points available, held, and redeemed in all."""
    account = account_of()
    return account.available, account.held, account.lifetime_redeemed


def account_of(member_id: str = MEMBER) -> Account:
    """Check the ledger; return the account."""
    check_ledger()
    return Account.objects.get(member_id=member_id)


def remaining() -> list[int]:
    """Return the remaining points of each lot, the oldest first."""
    return list(Lot.objects.order_by("pk").values_list("remaining", flat=True))


def entry_kinds() -> list[tuple[str, int]]:
    """Return kind and points of each entry, in order."""
    return list(Entry.objects.order_by("account", "seq").values_list("kind", "amount"))


def check_ledger() -> None:
    """I5: check the invariants of docs/loyalty.md for all accounts."""
    found = list(audit.violations())
    assert not found, found
    for account in Account.objects.all():
        _check_account(account)
    for award in OrderAward.objects.all():
        again = _moved(award.purchase, EntryKind.EARN_AGAIN)
        assert award.points_clawed_back == _moved(award.purchase, EntryKind.CLAW_BACK, EntryKind.FORGIVE) - again
        forgiven_again = _moved(award.purchase, EntryKind.EARN_AGAIN, dst=Bucket.WRITTEN_OFF)
        assert award.points_forgiven == _moved(award.purchase, EntryKind.FORGIVE) - forgiven_again
        assert award.proportional + award.fixed == _moved(award.purchase, EntryKind.EARN)
    for redemption in OrderRedemption.objects.all():
        again = _moved(redemption.purchase, EntryKind.REDEEM_AGAIN)
        assert redemption.points_restored == _moved(redemption.purchase, EntryKind.RESTORE) - again
        assert redemption.points == _moved(redemption.purchase, EntryKind.CAPTURE, EntryKind.LATE_CAPTURE)
    for held in Hold.objects.exclude(state=HoldState.RELEASED):
        parts = held.allocations.aggregate(points=Sum("points"), points_restored=Sum("points_restored"))
        late = held.entries.filter(src=Bucket.OWED).aggregate(points=Sum("amount"))["points"] or 0
        assert (parts["points"] or 0) + late == (held.captured or held.points)
    assert not Lot.objects.filter(original__lt=F("remaining") + F("pending")).exists()


def _moved(purchase: str, *kinds: EntryKind, **more: Any) -> int:
    entries = Entry.objects.filter(purchase=purchase, kind__in=kinds, **more)
    return entries.aggregate(points=Sum("amount"))["points"] or 0


def _check_account(account: Account) -> None:
    """Check what ``audit.violations`` checks by other means: one entry after the other."""
    buckets: Counter[str] = Counter()
    forgiven = 0
    for number, entry in enumerate(account.entries.order_by("seq"), 1):
        assert entry.seq == number
        forgiven += entry.amount if entry.kind == EntryKind.FORGIVE else 0
        forgiven -= entry.amount if (entry.kind, entry.dst) == (EntryKind.EARN_AGAIN, Bucket.WRITTEN_OFF) else 0
        buckets[entry.src] -= entry.amount
        buckets[entry.dst] += entry.amount
    lots = account.lots.aggregate(remaining=Sum("remaining"), pending=Sum("pending"))
    active = account.holds.filter(state=HoldState.ACTIVE).aggregate(points=Sum("points"))["points"]

    assert sum(buckets.values()) == 0
    assert (buckets[Bucket.AVAILABLE], buckets[Bucket.PENDING]) == (account.available, account.pending)
    assert (buckets[Bucket.HELD], -buckets[Bucket.OWED]) == (account.held, account.owed)
    assert buckets[Bucket.REDEEMED] == account.lifetime_redeemed
    assert -buckets[Bucket.ISSUED] - buckets[Bucket.REVERSED] == account.lifetime_earned
    assert forgiven <= buckets[Bucket.REVERSED]
    assert ((lots["remaining"] or 0), (lots["pending"] or 0)) == (account.available, account.pending)
    assert (active or 0) == account.held
    assert account.available == 0 or account.owed == 0


def nepal(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=KATHMANDU)  # type: ignore[arg-type, misc]  # year, month, day and on
