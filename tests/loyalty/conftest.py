"""The ledger is told in worked examples: an account, the verbs in few words, and a check of all that must hold."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import pytest
from django.db.models import F, Sum
from django.utils import timezone

from loyalink_khalti.loyalty import books, ledger, programmes
from loyalink_khalti.loyalty.expiry import KATHMANDU
from loyalink_khalti.loyalty.ledger import Bought, Returned
from loyalink_khalti.loyalty.models import Account, Bucket, Entry, Hold, Kind, Lot
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption
from loyalink_khalti.loyalty.programmes import ProgramVersion
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Line

SITE, MEMBER = "default", "7"


@pytest.fixture
def account(db: None) -> Account:
    return Account.objects.create(program=programmes.current(SITE).program, member_id=MEMBER)


@pytest.fixture
def lot(account: Account) -> Callable[..., Lot]:
    """Put points into a lot of their own that expires when the example says."""

    def give(points: int, *, expires_at: datetime | None) -> Lot:
        adjust(points, f"lot {Lot.objects.count()}")
        made = Lot.objects.latest("pk")
        Lot.objects.filter(pk=made.pk).update(expires_at=expires_at)
        return made

    return give


# What an example does


def rules(**chosen: Any) -> ProgramVersion:
    """Let these rules hold from now on; what is not named is as by default."""
    return programmes.change(SITE, Rules(**chosen))


def line(total: int, *tags: str, earns: bool = True) -> Line:
    """One line of a Cart, in paisa."""
    return Line(sku="pen", title="Pen", quantity=1, unit=Paisa(total), total=Paisa(total), tags=tags, earns=earns)


def bought(lines: int | Sequence[Line], *, worth: int = 0, shipping: int = 0, discount: int = 0) -> Bought:
    """Goods, in paisa or as lines."""
    return Bought(
        lines=(line(lines),) if isinstance(lines, int) else lines,
        shipping=Paisa(shipping),
        discount=Paisa(discount),
        worth=Paisa(worth),
        at=timezone.now(),
    )


def award(
    goods: int | Sequence[Line],
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
        bought=bought(goods, **more),
        version_id=version and version.pk,
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


def spend(points: int, purchase: str) -> None:
    hold(points, purchase)
    capture(purchase)


def refund(so_far: int, of: int, purchase: str = "shop:1", *, ref: str = "") -> tuple[int, int]:
    """Refund a purchase up to ``so_far`` of its goods; points that came back, points that were taken."""
    done: Returned = ledger.refund(
        purchase=purchase, refund_ref=ref or f"to {so_far}", so_far=Paisa(so_far), goods_total=Paisa(of)
    )
    return done.restored, done.clawed


def refunds(parts: Iterable[int], of: int, purchase: str = "shop:1") -> list[tuple[int, int]]:
    """Refund one part after the other; what each gave and took."""
    sums = [sum(list(parts)[: number + 1]) for number in range(len(list(parts)))]
    return [refund(so_far, of, purchase, ref=f"part {number}") for number, so_far in enumerate(sums)]


def sweep() -> dict[str, int]:
    """Do what is due; the points that were activated and that expired."""
    done: Counter[str] = Counter()
    for swept in ledger.sweep():
        done[swept.did] += swept.points
    return dict(done)


# What an example looks at


def balances() -> tuple[int, int, int]:
    """Available, held, redeemed in all; the books are checked first."""
    account = stands()
    return account.available, account.held, account.lifetime_redeemed


def stands(member_id: str = MEMBER) -> Account:
    """The account as it is, after a check of all that must hold."""
    sound()
    return Account.objects.get(member_id=member_id)


def left() -> list[int]:
    """What remains in each lot, in the order in which they were made."""
    return list(Lot.objects.order_by("pk").values_list("remaining", flat=True))


def kinds() -> list[tuple[str, int]]:
    """The entries, in order."""
    return list(Entry.objects.order_by("account", "seq").values_list("kind", "amount"))


def sound() -> None:
    """I5: loyalty.md's invariants that the tables show, over all accounts."""
    faults = list(books.faults())
    assert not faults, faults
    for account in Account.objects.all():
        _account_is_sound(account)
    for award in OrderAward.objects.all():
        assert award.clawed == _moved(award.purchase, Kind.CLAW_BACK, Kind.FORGIVE)
        assert award.short == _moved(award.purchase, Kind.FORGIVE)
        assert award.proportional + award.fixed == _moved(award.purchase, Kind.EARN)
    for redemption in OrderRedemption.objects.all():
        assert redemption.restored == _moved(redemption.purchase, Kind.RESTORE)
        assert redemption.points == _moved(redemption.purchase, Kind.CAPTURE, Kind.LATE_CAPTURE)
    for held in Hold.objects.exclude(state=Hold.State.RELEASED):
        parts = held.allocations.aggregate(points=Sum("points"), restored=Sum("restored"))
        late = held.entries.filter(src=Bucket.OWED).aggregate(points=Sum("amount"))["points"] or 0
        assert (parts["points"] or 0) + late == (held.captured or held.points)
    assert not Lot.objects.filter(original__lt=F("remaining") + F("pending")).exists()


def _moved(purchase: str, *kinds: Kind) -> int:
    entries = Entry.objects.filter(purchase=purchase, kind__in=kinds)
    return entries.aggregate(points=Sum("amount"))["points"] or 0


def _account_is_sound(account: Account) -> None:
    """The same as ``books.faults``, counted by other means: one entry after the other."""
    buckets: Counter[str] = Counter()
    for number, entry in enumerate(account.entries.order_by("seq"), 1):
        assert entry.seq == number
        buckets[entry.src] -= entry.amount
        buckets[entry.dst] += entry.amount
    lots = account.lots.aggregate(remaining=Sum("remaining"), pending=Sum("pending"))
    active = account.holds.filter(state=Hold.State.ACTIVE).aggregate(points=Sum("points"))["points"]

    assert sum(buckets.values()) == 0
    assert (buckets[Bucket.AVAILABLE], buckets[Bucket.PENDING]) == (account.available, account.pending)
    assert (buckets[Bucket.HELD], -buckets[Bucket.OWED]) == (account.held, account.owed)
    assert buckets[Bucket.REDEEMED] == account.lifetime_redeemed
    written_off = -buckets[Bucket.WRITTEN_OFF]
    assert -buckets[Bucket.ISSUED] - buckets[Bucket.REVERSED] == account.lifetime_earned
    assert written_off <= buckets[Bucket.REVERSED]
    assert ((lots["remaining"] or 0), (lots["pending"] or 0)) == (account.available, account.pending)
    assert (active or 0) == account.held
    assert account.available == 0 or account.owed == 0


def nepal(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=KATHMANDU)  # type: ignore[arg-type, misc]  # year, month, day and on
