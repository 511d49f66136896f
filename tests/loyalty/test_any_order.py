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
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

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

members = st.sampled_from(MEMBERS)
which = st.integers(0, 10**6)
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

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)
        self.clock.stop()

    def one(self, number: int, *states: str) -> Order | None:
        orders = [order for order in self.orders if not states or order.state in states]
        return orders[number % len(orders)] if orders else None

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

    @rule(rules=chosen_rules)
    def edit_the_rules(self, rules: Rules) -> None:
        programmes.change(SITE, rules)

    @rule(days=st.sampled_from([0, 1, 7, 31, 200]))
    def let_time_pass(self, days: int) -> None:
        self.time.shift(timedelta(days=days, hours=1))

    @rule()
    def run_the_sweep(self) -> None:
        held = list(Account.objects.order_by("pk").values_list("held", flat=True))
        sweep()
        assert list(Account.objects.order_by("pk").values_list("held", flat=True)) == held
        assert not Lot.objects.filter(remaining__gt=0, expires_at__lte=timezone.now()).exists()
        assert not Lot.objects.filter(pending__gt=0, available_at__lte=timezone.now()).exists()

    @rule(member=members, points=st.integers(-150, 200).filter(bool))
    def adjust(self, member: str, points: int) -> None:
        self.serial += 1
        key = f"{self.serial}"
        if self.attempt(lambda: adjust(points, key, member_id=member), Insufficient) is not None:
            self.again(lambda: adjust(points, key, member_id=member), points)

    @rule(member=members)
    def sign_up(self, member: str) -> None:
        ledger.sign_up(site_key=SITE, member_id=member)
        self.again(lambda: ledger.sign_up(site_key=SITE, member_id=member), 0)

    @rule(member=members, goods=st.integers(1, 100_000))
    def open_an_order(self, member: str, goods: int) -> None:
        version = programmes.current(SITE).pk
        self.orders.append(Order(f"shop:{len(self.orders)}", member, goods, version))

    @rule(number=which, points=st.integers(1, 120))
    def hold(self, number: int, points: int) -> None:
        order = self.one(number, "open", "released")
        if order is None:
            return

        def verb() -> Hold:
            return ledger.hold(
                site_key=SITE, member_id=order.member, purchase=order.purchase, points=Points(points),
                version_id=order.version,
            )  # fmt: skip

        held = self.attempt(verb, Insufficient, Frozen)
        if held is not None:
            order.points, order.state = points, "held"
            assert not held.allocations.filter(lot__expires_at__lte=timezone.now()).exists()
            self.again(verb, held)

    @rule(number=which, part=st.none() | st.integers(1, 120))
    def capture(self, number: int, part: int | None) -> None:
        order = self.one(number, "held")
        if order is None:
            return
        points = Points(min(part, order.points)) if part else None

        def verb() -> Points:
            return ledger.capture(purchase=order.purchase, value=Paisa(order.points * 100), points=points)

        spent = verb()
        order.points, order.state = spent, "captured"
        self.again(verb, spent)
        assert self.attempt(lambda: ledger.release(purchase=order.purchase), Conflict) is None

    @rule(number=which)
    def release(self, number: int) -> None:
        order = self.one(number, "held")
        if order is not None:
            points = ledger.release(purchase=order.purchase)
            order.state = "released"
            assert points == order.points
            self.again(lambda: ledger.release(purchase=order.purchase), points)

    @rule(number=which)
    def capture_late(self, number: int) -> None:
        order = self.one(number, "released")
        if order is None:
            return

        def verb() -> Points:
            return ledger.late_capture(
                site_key=SITE, member_id=order.member, purchase=order.purchase, points=Points(order.points),
                value=Paisa(order.points * 100),
            )  # fmt: skip

        spent = verb()
        order.state = "captured"
        assert spent == order.points
        self.again(verb, spent)
        self.again(lambda: ledger.capture(purchase=order.purchase, value=Paisa(0)), spent)

    @rule(number=which, cut=st.integers(0, 3))
    def award(self, number: int, cut: int) -> None:
        order = self.one(number, "open", "captured")
        if order is None:
            return
        value = worth(programmes.version(order.version).rules, Points(order.points)) if order.points else 0
        lines = tuple(line(part) for part in (order.goods // 3 * cut // 3, order.goods - order.goods // 3 * cut // 3))
        order.bought = order.bought or Bought(
            lines=lines, shipping=Paisa(0), discount=Paisa(0), worth=Paisa(value), at=timezone.now()
        )

        def verb() -> Points:
            assert order.bought
            return ledger.award(
                site_key=SITE, member_id=order.member, purchase=order.purchase, bought=order.bought,
                version_id=order.version,
            )  # fmt: skip

        earned = verb()
        order.state = "captured"
        self.again(verb, earned)

    @rule(number=which, share=st.integers(0, 100))
    def refund(self, number: int, share: int) -> None:
        order = self.one(number, "captured")
        if order is None:
            return
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

    @rule(number=which)
    def replay_an_older_refund(self, number: int) -> None:
        order = self.one(number, "captured")
        if order is not None and order.parts:
            step = number % len(order.parts)
            before = Entry.objects.count()
            ledger.refund(
                purchase=order.purchase, refund_ref=str(step), so_far=Paisa(order.parts[step]),
                goods_total=Paisa(order.goods),
            )  # fmt: skip
            assert Entry.objects.count() == before

    @rule(member=members, frozen=st.booleans())
    def freeze(self, member: str, frozen: bool) -> None:
        ledger.freeze(site_key=SITE, member_id=member, frozen=frozen)

    @precondition(lambda self: len(self.orders) > 3)
    @rule(member=members, into=members)
    def merge(self, member: str, into: str) -> None:
        verb = lambda: ledger.merge(site_key=SITE, member_id=member, into=into)  # noqa: E731
        stays = self.attempt(verb, LedgerError)
        if stays is not None:
            self.again(verb, stays)

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


@pytest.mark.django_db
def test_whatever_happens_in_whatever_order_every_invariant_holds() -> None:
    play(examples=20, steps=30)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.django_db
def test_thousands_of_steps_keep_every_invariant() -> None:
    play(examples=150, steps=60)
