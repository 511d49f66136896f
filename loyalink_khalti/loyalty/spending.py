"""Points for a purchase: held, then captured or released, or captured late."""

from typing import Any, TypeVar

from django.db.models import Exists, OuterRef
from django.utils import timezone

from loyalink_khalti.errors import Conflict, Frozen, Insufficient
from loyalink_khalti.money import Paisa, Points

from . import programmes
from .accounts import find, lock_account, survivor
from .book import Book, due
from .models import Account, Allocation, Bucket, Hold, Kind, Lot
from .orders import OrderRedemption
from .programmes import ProgramVersion

T = TypeVar("T")


def hold(*, site_key: str, member_id: str, purchase: str, points: Points, version_id: int | None = None) -> Hold:
    """Set points aside for a purchase; raises ``Insufficient`` or ``Frozen``. The caller has locked the purchase.

    What was released may be held again; what is held, or was spent, is the answer.
    """
    earlier = list(Hold.objects.filter(purchase=purchase).select_related("account"))
    for held in earlier:
        if held.state != Hold.State.RELEASED:
            return _agreed(held, held.points == points and survivor(held.account) == find(site_key, member_id))
    version = programmes.version(version_id) if version_id else programmes.current(site_key)
    book = _lock_with_points(version, member_id, points, purchase)
    held = Hold.objects.create(account=book.account, version=version, purchase=purchase, points=points)
    parts = book.take(points)
    Allocation.objects.bulk_create(Allocation(hold=held, lot=lot, points=part) for lot, part in parts)
    key = f"hold:{purchase}:{len(earlier)}"
    book.move(Kind.HOLD, Bucket.AVAILABLE, Bucket.HELD, points, key=key, hold=held)
    book.close()
    return held


def capture(*, purchase: str, value: Paisa, points: Points | None = None) -> Points:
    """Spend the points held for a purchase, or only ``points`` of them; ``value`` is what they were worth.

    The rest goes back. 0 where none were held.
    """
    held = _newest(purchase)
    if held is None:
        return Points(0)
    spent = held.points if points is None else points
    if held.state != Hold.State.ACTIVE:
        return Points(_agreed(held, held.state == Hold.State.CAPTURED and held.captured == spent).captured)
    if not 0 < spent <= held.points:
        raise Conflict(f"{spent} points to be spent of {held.points} held for {purchase}")
    book = Book.locked(held.account_id, purchase=purchase, version_id=held.version_id)
    if not _resolve(held, Hold.State.CAPTURED, captured=spent):
        return capture(purchase=purchase, value=value, points=points)
    OrderRedemption.objects.create(
        program=book.account.program, purchase=purchase, account=book.account, points=spent, value=value,
        version_id=held.version_id,
    )  # fmt: skip
    book.move(Kind.CAPTURE, Bucket.HELD, Bucket.REDEEMED, spent, key=f"capture:{held.pk}", hold=held)
    _give_back(book, held, held.points - spent, key=f"capture:{held.pk}:rest", captured=True)
    book.close()
    return Points(spent)


def release(*, purchase: str) -> Points:
    """Give the points held for a purchase back to the lots they came from. 0 where none were held."""
    held = _newest(purchase)
    if held is None:
        return Points(0)
    if held.state != Hold.State.ACTIVE:
        return Points(_agreed(held, held.state == Hold.State.RELEASED).points)
    book = Book.locked(held.account_id, purchase=purchase, version_id=held.version_id)
    if not _resolve(held, Hold.State.RELEASED):
        return release(purchase=purchase)
    _give_back(book, held, held.points, key=f"release:{held.pk}")
    book.close()
    return Points(held.points)


def late_capture(
    *, site_key: str, member_id: str, purchase: str, points: Points, value: Paisa, version_id: int | None = None
) -> Points:
    """Spend points for a purchase that staff fulfil after it was released: what is available, the rest is owed."""
    version_id = version_id or programmes.current(site_key).pk
    book = lock_account(site_key, member_id, purchase=purchase, version_id=version_id)
    earlier = OrderRedemption.objects.filter(purchase=purchase).first()
    if earlier is not None:
        return Points(_agreed(earlier, earlier.points == points).points)
    if Hold.objects.filter(purchase=purchase, state=Hold.State.ACTIVE).exists():
        raise Conflict(f"points are held for {purchase}: capture them")
    book.expire_due()
    at_hand = min(points, book.account.available)
    # A hold like any other, though what is owed never lay in a lot.
    held = Hold.objects.create(
        account=book.account, version_id=version_id, purchase=purchase, points=points, captured=points,
        state=Hold.State.CAPTURED,
    )  # fmt: skip
    Allocation.objects.bulk_create(Allocation(hold=held, lot=lot, points=part) for lot, part in book.take(at_hand))
    OrderRedemption.objects.create(
        program=book.account.program, purchase=purchase, account=book.account, points=points, value=value,
        version_id=version_id,
    )  # fmt: skip
    key = f"late:{purchase}"
    book.move(Kind.LATE_CAPTURE, Bucket.AVAILABLE, Bucket.REDEEMED, at_hand, key=key, hold=held)
    book.move(Kind.LATE_CAPTURE, Bucket.OWED, Bucket.REDEEMED, points - at_hand, key=f"{key}:owed", hold=held)
    book.close()
    return points


def _lock_with_points(version: ProgramVersion, member_id: str, points: Points, purchase: str) -> Book:
    """Lock an account only if it can spend so many points: one conditional UPDATE decides.

    Its conditions stand on the row itself, so that who waited for the lock is measured by what is left then. Due
    points are expired first, so that a sweep that was missed gives nobody free points.
    """
    cause: dict[str, Any] = {"purchase": purchase, "version_id": version.pk}
    now = timezone.now()
    mine = Account.objects.filter(program=version.program, member_id=member_id)
    ready = mine.filter(~Exists(due(OuterRef("pk"), now)), available__gte=points, frozen=False)
    if ready.update(touched_at=now):
        return Book.read(mine, **cause)
    account = find(version.program.site_key, member_id)
    if account is None:
        raise Insufficient(f"0 points available, {points} asked for")
    book = Book.locked(account.pk, **cause)
    book.expire_due()
    if book.account.frozen:
        raise Frozen("the account is frozen")
    if book.account.available < points:
        raise Insufficient(f"{book.account.available} points available, {points} asked for")
    return book


def _newest(purchase: str) -> Hold | None:
    return Hold.objects.filter(purchase=purchase).order_by("-pk").first()


def _resolve(held: Hold, state: Hold.State, **fields: int) -> bool:
    """Resolve a hold once; False where somebody else just did."""
    return bool(Hold.objects.filter(pk=held.pk, state=Hold.State.ACTIVE).update(state=state, **fields))


def _give_back(book: Book, held: Hold, points: int, *, key: str, captured: bool = False) -> None:
    """Put held points back into their lots, those that were taken last first."""
    missing, parts = points, []
    for allocation in held.allocations.select_related("lot").order_by("-pk") if points else ():
        part = min(allocation.points, missing)
        allocation.points -= part
        allocation.lot.remaining += part
        missing -= part
        parts += [allocation] if part else []
    Lot.objects.bulk_update([allocation.lot for allocation in parts], ["remaining"])
    if captured:  # what was released altogether keeps the record of what it was
        Allocation.objects.bulk_update(parts, ["points"])
    book.move(Kind.RELEASE, Bucket.HELD, Bucket.AVAILABLE, points, key=key, hold=held)
    book.repay()


def _agreed(earlier: T, same: bool) -> T:
    if not same:
        raise Conflict(f"booked before with other figures: {earlier}")
    return earlier
