"""The ledger is told in worked examples: an account, and a check of all that must hold of it after each step."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import pytest
from django.db.models import F, Sum

from loyalink_khalti.loyalty import ledger, rules
from loyalink_khalti.loyalty.models import Account, Bucket, Hold, Lot
from loyalink_khalti.money import Points

SITE, MEMBER = "default", "7"


@pytest.fixture
def account(db: None) -> Account:
    return Account.objects.create(program=SITE, member_id=MEMBER)


@pytest.fixture
def lot(account: Account) -> Callable[..., Lot]:
    """Put points into a lot of their own that expires when the example says."""

    def give(points: int, *, expires_at: datetime | None) -> Lot:
        key = f"lot {Lot.objects.count()}"
        ledger.adjust(site_key=SITE, member_id=MEMBER, points=points, key=key, reason="example")
        made = Lot.objects.latest("pk")
        Lot.objects.filter(pk=made.pk).update(expires_at=expires_at)
        return made

    return give


def hold(points: int, purchase: str = "shop:1") -> Hold:
    return ledger.hold(site_key=SITE, member_id=MEMBER, purchase=purchase, points=Points(points))


def balances() -> tuple[int, int, int]:
    """Available, held, redeemed in all; checked against the entries first."""
    account = Account.objects.get()
    sound(account)
    return account.available, account.held, account.lifetime_redeemed


def sound(account: Account) -> None:
    """I5: loyalty.md's invariants 1 to 5 and 10, as far as one account shows them."""
    entries = list(account.entries.order_by("seq"))
    buckets: Counter[str] = Counter()
    for entry in entries:
        buckets[entry.src] -= entry.amount
        buckets[entry.dst] += entry.amount
    lots = account.lots.aggregate(remaining=Sum("remaining"), pending=Sum("pending"))
    active = account.holds.filter(state=Hold.State.ACTIVE).aggregate(points=Sum("points"))["points"]
    captured = account.holds.aggregate(points=Sum("captured"))["points"]

    assert (buckets[Bucket.AVAILABLE], buckets[Bucket.PENDING]) == (account.available, account.pending)
    assert (buckets[Bucket.HELD], -buckets[Bucket.OWED]) == (account.held, account.owed)
    assert buckets[Bucket.REDEEMED] == account.lifetime_redeemed == (captured or 0)
    assert -buckets[Bucket.ISSUED] == account.lifetime_earned
    assert sum(buckets.values()) == 0
    assert [entry.seq for entry in entries] == list(range(1, account.seq + 1))
    assert ((lots["remaining"] or 0), (lots["pending"] or 0)) == (account.available, account.pending)
    assert (active or 0) == account.held
    assert not account.lots.filter(original__lt=F("remaining") + F("pending")).exists()


def nepal(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=rules.KATHMANDU)  # type: ignore[arg-type, misc]  # year, month, day and on
