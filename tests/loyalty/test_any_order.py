"""Whatever happens to points, in whatever order: after every step all of loyalty.md's invariants hold."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from loyalink_khalti.errors import Conflict, Frozen, Insufficient, LedgerError
from loyalink_khalti.loyalty import ledger, programmes
from loyalink_khalti.loyalty.arithmetic import Rounding
from loyalink_khalti.loyalty.ledger import Bought
from loyalink_khalti.loyalty.models import Account, Allocation, Bucket, Entry, Hold, Lot
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption, RefundApplied
from loyalink_khalti.loyalty.redeeming import worth
from loyalink_khalti.loyalty.rules import Campaign, Rules, Shortfall, Tier, TierBasis
from loyalink_khalti.money import Paisa, Points

from .conftest import SITE, adjust, line, nepal, sound, sweep

pytestmark = pytest.mark.money

NOW = nepal(2026, 2, 25, 12)
MEMBERS = ("1", "2", "3")
SALE = Campaign(
    name="Dashain", starts_at=NOW, ends_at=NOW + timedelta(days=60), multiplier=Fraction(3, 2), addition=Points(25)
)
LEVELS = (Tier(name="Silver", threshold=Points(0)), Tier(name="Gold", threshold=Points(150), multiplier=Fraction(2)))

chosen_rules = st.builds(
    Rules,
    per=st.sampled_from([Paisa(500), Paisa(1000), Paisa(10_000)]),
    rounding=st.sampled_from(Rounding),
    refund_rounding=st.sampled_from(Rounding),
    campaigns=st.sampled_from([(), (SALE,)]),
    waiting_days=st.sampled_from([0, 0, 7]),
    valid_months=st.sampled_from([None, 0, 1, 12]),
    month_end=st.booleans(),
    restore_grace_days=st.sampled_from([0, 0, 10]),
    shortfall=st.sampled_from(Shortfall),
    least_spent=st.just(Points(1)),
    step=st.just(Points(1)),
    redeem_points=st.just(Points(1)),
    first_order_bonus=st.sampled_from([Points(0), Points(40)]),
    sign_up_bonus=st.sampled_from([Points(0), Points(15)]),
    most_earned=st.sampled_from([None, Points(60)]),
    tiers=st.sampled_from([Rules().tiers, LEVELS]),
    tier_basis=st.sampled_from(TierBasis),
    tier_grace_days=st.sampled_from([0, 20]),
)


@dataclass
class Order:
    """A purchase as its shop remembers it."""

    purchase: str
    member: str
    goods: int
    version: int
    points: int = 0
    state: str = "open"
    bought: Bought | None = None
    parts: list[int] = field(default_factory=list)
    """What has been refunded so far, after each refund."""

    @property
    def so_far(self) -> int:
        return self.parts[-1] if self.parts else 0


VERBS = {
    "buy": 6,
    "hold": 2,
    "capture": 2,
    "release": 2,
    "capture_late": 2,
    "award": 2,
    "refund": 5,
    "replay_an_older_refund": 1,
    "adjust": 2,
    "sign_up": 1,
    "edit_the_rules": 2,
    "let_time_pass": 4,
    "run_the_sweep": 2,
    "freeze": 1,
    "merge": 1,
}
"""What can happen, and how often."""
STATES = {
    "hold": {"open", "released"},
    "capture": {"held"},
    "release": {"held"},
    "capture_late": {"released"},
    "award": {"open", "captured"},
    "refund": {"captured"},
    "replay_an_older_refund": {"captured"},
}


class Ledger(RuleBasedStateMachine):
    """Verbs in any order; a verb that refuses must have changed nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = time_machine.travel(NOW, tick=False)
        self.time = self.clock.start()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.orders: list[Order] = []
        self.seen: dict[int, dict[str, Any]] = {}
        self.serial = 0
        for member in MEMBERS:
            adjust(30, f"opening {member}", member_id=member)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)
        self.clock.stop()

    def attempt(self, verb: Callable[[], Any], *refusals: type[Exception]) -> Any:
        """What the verb gave, None where it refused."""
        before = Entry.objects.count()
        try:
            with transaction.atomic():
                return verb()
        except refusals:
            assert Entry.objects.count() == before
            return None

    def again(self, verb: Callable[[], Any], answer: Any) -> None:
        """Invariant 12: the same once more is the same answer and no new row."""
        before = Entry.objects.count(), Lot.objects.count()
        assert verb() == answer
        assert (Entry.objects.count(), Lot.objects.count()) == before

    # What happens

    @rule(
        verb=st.sampled_from([name for name, weight in VERBS.items() for _ in range(weight)]),
        member=st.sampled_from(MEMBERS),
        number=st.integers(0, 30),
        points=st.integers(1, 60),
        share=st.just(100) | st.integers(0, 100),
        goods=st.integers(1, 250_000),
        data=st.data(),
    )
    def step(self, verb: str, **drawn: Any) -> None:
        """One verb; of an order, only where there is one in the right state. (One rule, so that none is left out.)"""
        states = STATES.get(verb)
        orders = [order for order in self.orders if states is None or order.state in states]
        if states and not orders:
            verb = "buy"
        elif states:
            drawn["order"] = orders[drawn["number"] % len(orders)]
        getattr(self, verb)(**drawn)

    def edit_the_rules(self, data: st.DataObject, **_: Any) -> None:
        programmes.change(SITE, data.draw(chosen_rules))

    def let_time_pass(self, points: int, number: int, **_: Any) -> None:
        self.time.shift(timedelta(days=points if number % 3 == 0 else points % 8, hours=number))

    def run_the_sweep(self, **_: Any) -> None:
        held = list(Account.objects.order_by("pk").values_list("held", flat=True))
        sweep()
        assert list(Account.objects.order_by("pk").values_list("held", flat=True)) == held
        assert not Lot.objects.filter(remaining__gt=0, expires_at__lte=timezone.now()).exists()
        assert not Lot.objects.filter(pending__gt=0, available_at__lte=timezone.now()).exists()

    def adjust(self, member: str, points: int, number: int, **_: Any) -> None:
        self.serial += 1
        key, change = f"{self.serial}", points if number % 2 else -points
        if self.attempt(lambda: adjust(change, key, member_id=member), Insufficient) is not None:
            self.again(lambda: adjust(change, key, member_id=member), change)

    def sign_up(self, member: str, **_: Any) -> None:
        ledger.sign_up(site_key=SITE, member_id=member)
        self.again(lambda: ledger.sign_up(site_key=SITE, member_id=member), 0)

    def buy(self, member: str, goods: int, number: int, points: int, **more: Any) -> None:
        """A whole purchase, or its beginning alone."""
        order = Order(f"shop:{len(self.orders)}", member, goods, programmes.current(SITE).pk)
        self.orders.append(order)
        if number % 4:
            self.hold(order, points)
        if number % 2 and order.state == "held":
            self.capture(order, points, number)
        if number % 2:
            self.award(order, number)

    def hold(self, order: Order, points: int, **_: Any) -> None:
        def verb() -> Hold:
            return ledger.hold(
                site_key=SITE,
                member_id=order.member,
                purchase=order.purchase,
                points=Points(points),
                version_id=order.version,
            )

        held = self.attempt(verb, Insufficient, Frozen)
        if held is not None:
            order.points, order.state = points, "held"
            assert not held.allocations.filter(lot__expires_at__lte=timezone.now()).exists()
            self.again(verb, held)

    def capture(self, order: Order, points: int, number: int, **_: Any) -> None:
        part = Points(min(points, order.points)) if number % 3 == 0 else None

        def verb() -> Points:
            return ledger.capture(purchase=order.purchase, value=Paisa(order.points * 100), points=part)

        spent = verb()
        order.points, order.state = spent, "captured"
        self.again(verb, spent)
        assert self.attempt(lambda: ledger.release(purchase=order.purchase), Conflict) is None

    def release(self, order: Order, **_: Any) -> None:
        points = ledger.release(purchase=order.purchase)
        order.state = "released"
        assert points == order.points
        self.again(lambda: ledger.release(purchase=order.purchase), points)
        assert self.attempt(lambda: ledger.capture(purchase=order.purchase, value=Paisa(0)), Conflict) is None

    def capture_late(self, order: Order, **_: Any) -> None:
        def verb() -> Points:
            return ledger.late_capture(
                site_key=SITE,
                member_id=order.member,
                purchase=order.purchase,
                points=Points(order.points),
                value=Paisa(order.points * 100),
            )

        spent = verb()
        order.state = "captured"
        assert spent == order.points
        self.again(verb, spent)
        self.again(lambda: ledger.capture(purchase=order.purchase, value=Paisa(0)), spent)

    def award(self, order: Order, number: int, **_: Any) -> None:
        value = worth(programmes.version(order.version).rules, Points(order.points)) if order.state != "open" else 0
        first = order.goods * (number % 4) // 4
        order.bought = order.bought or Bought(
            lines=(line(first), line(order.goods - first, "paper")),
            shipping=Paisa(0),
            discount=Paisa(0),
            worth=Paisa(value),
            at=timezone.now(),
        )

        def verb() -> Points:
            assert order.bought
            return ledger.award(
                site_key=SITE,
                member_id=order.member,
                purchase=order.purchase,
                bought=order.bought,
                version_id=order.version,
            )

        earned = verb()
        order.state = "captured"
        self.again(verb, earned)

    def refund(self, order: Order, share: int, **_: Any) -> None:
        so_far = order.so_far + (order.goods - order.so_far) * share // 100
        ref = str(len(order.parts))

        def verb() -> ledger.Returned:
            return ledger.refund(
                purchase=order.purchase, refund_ref=ref, so_far=Paisa(so_far), goods_total=Paisa(order.goods)
            )

        done = verb()
        order.parts.append(so_far)
        self.again(verb, done)
        assert min(done.restored, done.clawed) >= 0

    def replay_an_older_refund(self, order: Order, number: int, **_: Any) -> None:
        if order.parts:
            before = Entry.objects.count()
            ref = number % len(order.parts)
            so_far, goods = Paisa(order.parts[ref]), Paisa(order.goods)
            ledger.refund(purchase=order.purchase, refund_ref=str(ref), so_far=so_far, goods_total=goods)
            assert Entry.objects.count() == before

    def freeze(self, member: str, number: int, **_: Any) -> None:
        ledger.freeze(site_key=SITE, member_id=member, frozen=number == 1)

    def merge(self, member: str, number: int, **_: Any) -> None:
        into = MEMBERS[number % len(MEMBERS)]
        stays = self.attempt(lambda: ledger.merge(site_key=SITE, member_id=member, into=into), LedgerError)
        if stays is not None:
            self.again(lambda: ledger.merge(site_key=SITE, member_id=member, into=into), stays)

    # What holds of it, always

    @invariant()
    def the_books_add_up(self) -> None:
        sound()

    @invariant()
    def what_was_written_stays(self) -> None:
        rows = {row["id"]: row for row in Entry.objects.values()}
        assert all(rows.get(pk) == row for pk, row in self.seen.items())
        self.seen = rows

    @invariant()
    def buckets_sum_to_nothing_over_the_whole_programme(self) -> None:
        """2, and 5: what is issued and adjusted is somewhere."""
        buckets: Counter[str] = Counter()
        for src, dst, amount in Entry.objects.values_list("src", "dst", "amount"):
            buckets[src] -= amount
            buckets[dst] += amount
        assert sum(buckets.values()) == 0
        assert min(buckets[name] for name in (Bucket.REDEEMED, Bucket.EXPIRED, Bucket.REVERSED)) >= 0

    @invariant()
    def lots_account_for_every_point_once(self) -> None:
        """3, 4: what a lot has given to holds that stand, and what came back, is what it lacks."""
        assert not Lot.objects.filter(remaining__gt=0, account__successor__isnull=False).exists()
        for allocation in Allocation.objects.select_related("hold"):
            assert 0 <= allocation.restored <= allocation.points
            assert allocation.restored == 0 or allocation.hold.state == Hold.State.CAPTURED

    @invariant()
    def orders_give_and_take_what_their_own_rules_say(self) -> None:
        """6, 8 and 9, by another arithmetic than the ledger's."""
        awards = {award.purchase: award for award in OrderAward.objects.select_related("version")}
        spent = {row.purchase: row for row in OrderRedemption.objects.select_related("version")}
        for order in self.orders:
            award, redemption = awards.get(order.purchase), spent.get(order.purchase)
            if redemption is not None:
                mode = redemption.version.rules.refund_rounding
                assert redemption.restored == part(redemption.points, order.so_far, order.goods, mode)
            if award is not None:
                assert award.version_id == order.version
                assert award.clawed == taken(award, order)
            assert RefundApplied.objects.filter(purchase=order.purchase).count() == len(order.parts)


def part(total: int, so_far: int, whole: int, mode: Rounding) -> int:
    exact = Fraction(total * so_far, whole)
    if mode is Rounding.FLOOR:
        return floor(exact)
    return ceil(exact) if mode is Rounding.CEIL else floor(exact + Fraction(1, 2))


def taken(award: OrderAward, order: Order) -> int:
    if order.so_far == order.goods:
        return award.proportional + award.fixed
    if not award.basis:
        return 0
    mode = award.version.rules.refund_rounding
    return part(award.proportional, part(award.basis, order.so_far, order.goods, mode), award.basis, mode)


def play(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)
@pytest.mark.django_db
def test_whatever_happens_in_whatever_order_every_invariant_holds() -> None:
    """I5"""
    play(examples=16, steps=25)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.django_db
def test_thousands_of_steps_keep_every_invariant() -> None:
    play(examples=80, steps=50)
