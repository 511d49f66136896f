"""Any verbs in any order: after every step all invariants of loyalty.md hold."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from loyalink_khalti.errors import (
    AccountBlocked,
    AccountMerged,
    InsufficientPoints,
    LedgerConflict,
    LedgerError,
    MemberLeft,
)
from loyalink_khalti.loyalty import closed_months, ledger, reports
from loyalink_khalti.loyalty.buckets import Bucket, HoldState
from loyalink_khalti.loyalty.ledger import OrderSnapshot, points_value
from loyalink_khalti.loyalty.models import Account, Allocation, Entry, Hold, Lot
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption, RefundApplied
from loyalink_khalti.loyalty.rules import CampaignRule, Rules, Shortfall, Tier, TierBasis
from loyalink_khalti.money import Paisa, Points, Rounding

from .conftest import SITE, adjust, check_ledger, line, nepal, order_of, sweep

pytestmark = [pytest.mark.money, pytest.mark.on_both]

NOW = nepal(2026, 2, 25, 12)
MEMBERS = ("1", "2", "3", "4")
SALE = CampaignRule(
    name="Dashain", starts_at=NOW, ends_at=NOW + timedelta(days=60), multiplier=Fraction(3, 2), addition=Points(25)
)
TIERS = (Tier(name="Silver", threshold=Points(0)), Tier(name="Gold", threshold=Points(150), multiplier=Fraction(2)))

chosen_rules = st.builds(
    Rules,
    per=st.sampled_from([Paisa(500), Paisa(1000), Paisa(10_000)]),
    rounding=st.sampled_from(Rounding),
    refund_rounding=st.sampled_from(Rounding),
    earn_on_shipping=st.booleans(),
    campaigns=st.sampled_from([(), (SALE,)]),
    pending_days=st.sampled_from([0, 0, 7]),
    valid_months=st.sampled_from([None, 0, 1, 12]),
    month_end=st.booleans(),
    restore_grace_days=st.sampled_from([0, 0, 10]),
    shortfall=st.sampled_from(Shortfall),
    minimum_points=st.just(Points(1)),
    increment=st.just(Points(1)),
    redeem_points=st.just(Points(1)),
    first_order_bonus=st.sampled_from([Points(0), Points(40)]),
    signup_bonus=st.sampled_from([Points(0), Points(15)]),
    maximum_earned=st.sampled_from([None, Points(60)]),
    tiers=st.sampled_from([Rules().tiers, TIERS]),
    tier_basis=st.sampled_from(TierBasis),
    tier_grace_days=st.sampled_from([0, 20]),
)


@dataclass
class Order:
    """A purchase as the test remembers it."""

    purchase: str
    member: str
    subtotal: int
    shipping: int
    version: int
    points: int = 0
    state: str = "open"
    snapshot: OrderSnapshot | None = None
    began: datetime = NOW
    parts: list[tuple[int, int]] = field(default_factory=list)
    """What was refunded of products and delivery in all, after each refund."""

    @property
    def so_far(self) -> tuple[int, int]:
        return self.parts[-1] if self.parts else (0, 0)

    def figures(self, so_far: tuple[int, int]) -> dict[str, Paisa]:
        return {
            "refunded_so_far": Paisa(so_far[0]),
            "subtotal": Paisa(self.subtotal),
            "shipping_so_far": Paisa(so_far[1]),
            "shipping": Paisa(self.shipping),
        }


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
    "award_signup_bonus": 1,
    "edit_the_rules": 2,
    "let_time_pass": 4,
    "run_the_sweep": 2,
    "set_blocked": 1,
    "leave": 1,
    "join": 2,
    "merge": 3,
    "erase": 1,
}
"""The verbs, and how often each one is chosen."""
STATES = {
    "hold": {"open", "released"},
    "capture": {"held"},
    "release": {"held"},
    "capture_late": {"released"},
    "award": {"open", "captured"},
    "refund": {"captured"},
    "replay_an_older_refund": {"captured"},
}


is_due = precondition(lambda ledger: ledger.steps % ledger.checked_every == 0)


class Ledger(RuleBasedStateMachine):
    """Verbs in any order; a verb that raises has changed nothing."""

    checked_every: ClassVar[int] = 4
    """steps; what is wrong once stays wrong"""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.clock = time_machine.travel(NOW, tick=False)
        self.time = self.clock.start()
        self.few = patch.object(closed_months, "MANY", 0)  # the months of every account are closed
        self.few.start()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.orders: list[Order] = []
        self.seen: dict[int, dict[str, Any]] = {}
        self.serial = 0
        for member in MEMBERS:
            adjust(30, f"opening {member}", member_id=member)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)
        self.few.stop()
        self.clock.stop()

    def attempt(self, verb: Callable[[], Any], *refusals: type[Exception]) -> Any:
        """Return what the verb returns; None where it raises one of ``refusals``."""
        before = Entry.objects.count()
        try:
            with transaction.atomic():
                return verb()
        except refusals:
            assert Entry.objects.count() == before
            return None

    def again(self, verb: Callable[[], Any], answer: Any) -> None:
        """Check invariant 12: a repeated verb has the same answer and writes no new row."""
        before = Entry.objects.count(), Lot.objects.count()
        assert verb() == answer
        assert (Entry.objects.count(), Lot.objects.count()) == before

    # Verbs

    @rule(
        verb=st.sampled_from([name for name, weight in VERBS.items() for _ in range(weight)]),
        member=st.sampled_from(MEMBERS),
        number=st.integers(0, 30),
        points=st.integers(1, 60),
        share=st.just(100) | st.integers(0, 100),
        subtotal=st.integers(1, 250_000),
        data=st.data(),
    )
    def step(self, verb: str, **drawn: Any) -> None:
        """Run one verb, on an order in the right state. (A single rule, so that Hypothesis uses every verb.)"""
        states = STATES.get(verb)
        orders = [order for order in self.orders if states is None or order.state in states]
        if states and not orders:
            verb = "buy"
        elif states:
            drawn["order"] = orders[drawn["number"] % len(orders)]
        getattr(self, verb)(**drawn)
        self.steps += 1

    def edit_the_rules(self, data: st.DataObject, **_: Any) -> None:
        ledger.set_rules(SITE, data.draw(chosen_rules))

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
        if self.attempt(lambda: adjust(change, key, member_id=member), InsufficientPoints, MemberLeft) is not None:
            self.again(lambda: adjust(change, key, member_id=member), change)

    def award_signup_bonus(self, member: str, **_: Any) -> None:
        ledger.award_signup_bonus(site_key=SITE, member_id=member)
        self.again(lambda: ledger.award_signup_bonus(site_key=SITE, member_id=member), 0)

    def buy(self, member: str, subtotal: int, number: int, points: int, **more: Any) -> None:
        """Make a whole purchase, or only begin it."""
        shipping = points * 100 if number % 3 else 0
        version = ledger.current_version(SITE).pk
        order = Order(f"shop:{len(self.orders)}", member, subtotal, shipping, version, began=timezone.now())
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

        held = self.attempt(verb, InsufficientPoints, AccountBlocked)
        if held is not None:
            order.points, order.state = points, "held"
            assert not held.allocations.filter(lot__expires_at__lte=timezone.now()).exists()
            self.again(verb, held)

    def capture(self, order: Order, points: int, number: int, **_: Any) -> None:
        part = Points(min(points, order.points)) if number % 3 == 0 else None

        def verb() -> Points:
            value = Paisa((order.points if part is None else part) * 100)
            return ledger.capture(purchase=order.purchase, value=value, points=part)

        captured = verb()
        order.points, order.state = captured, "captured"
        self.again(verb, captured)
        assert self.attempt(lambda: ledger.release(purchase=order.purchase), LedgerConflict) is None

    def release(self, order: Order, **_: Any) -> None:
        points = ledger.release(purchase=order.purchase)
        order.state = "released"
        assert points == order.points
        self.again(lambda: ledger.release(purchase=order.purchase), points)
        assert self.attempt(lambda: ledger.capture(purchase=order.purchase, value=Paisa(0)), LedgerConflict) is None

    def capture_late(self, order: Order, **_: Any) -> None:
        def verb() -> Points:
            return ledger.late_capture(
                site_key=SITE,
                member_id=order.member,
                purchase=order.purchase,
                points=Points(order.points),
                value=Paisa(order.points * 100),
            )

        captured = verb()
        order.state = "captured"
        assert captured == order.points
        self.again(verb, captured)
        self.again(lambda: ledger.capture(purchase=order.purchase, value=Paisa(0)), captured)

    def award(self, order: Order, number: int, **_: Any) -> None:
        value = (
            points_value(ledger.get_version(order.version).rules, Points(order.points)) if order.state != "open" else 0
        )
        first = order.subtotal * (number % 4) // 4
        order.snapshot = order.snapshot or OrderSnapshot(
            lines=(line(first), line(order.subtotal - first, "paper")),
            shipping=Paisa(order.shipping),
            discount=Paisa(0),
            points_value=Paisa(value),
            at=order.began,
        )

        def verb() -> Points:
            assert order.snapshot
            return ledger.award(
                site_key=SITE,
                member_id=order.member,
                purchase=order.purchase,
                order=order.snapshot,
                version_id=order.version,
            )

        earned = verb()
        order.state = "captured"
        self.again(verb, earned)

    def refund(self, order: Order, share: int, number: int, **_: Any) -> None:
        products, shipping = order.so_far
        if number % 4:
            products += (order.subtotal - products) * share // 100
        if number % 3:
            shipping += (order.shipping - shipping) * share // 100
        so_far = products, shipping
        ref = str(len(order.parts))

        def verb() -> ledger.RefundedPoints:
            return ledger.refund(purchase=order.purchase, refund_ref=ref, **order.figures(so_far))

        done = verb()
        order.parts.append(so_far)
        self.again(verb, done)
        assert min(done.points_restored, done.points_clawed_back) >= 0

    def replay_an_older_refund(self, order: Order, number: int, **_: Any) -> None:
        if order.parts:
            before = Entry.objects.count()
            ref = number % len(order.parts)
            ledger.refund(purchase=order.purchase, refund_ref=str(ref), **order.figures(order.parts[ref]))
            assert Entry.objects.count() == before

    def set_blocked(self, member: str, number: int, **_: Any) -> None:
        ledger.set_blocked(site_key=SITE, member_id=member, blocked=number == 1)

    def leave(self, member: str, **_: Any) -> None:
        def verb() -> Points:
            return ledger.leave(site_key=SITE, member_id=member)

        if self.attempt(verb, AccountMerged) is not None:
            self.again(verb, Points(0))
            account = ledger.own_account(SITE, member)
            assert account is not None
            assert (account.available, account.pending) == (0, 0)

    def join(self, member: str, number: int, **_: Any) -> None:
        def verb() -> bool:
            version = str(number % 3)
            return ledger.accept_terms(
                site_key=SITE, member_id=member, version=version, sentences=["1 point"], language="en"
            )

        if self.attempt(verb, AccountMerged) is not None:
            self.again(verb, False)

    def merge(self, member: str, number: int, **_: Any) -> None:
        into = MEMBERS[number % len(MEMBERS)]
        own = ledger.own_account(SITE, member)
        is_repeated = own is not None and own.has_ended
        before = outstanding(), forfeited()
        stays = self.attempt(lambda: ledger.merge(site_key=SITE, member_id=member, into=into), LedgerError)
        if stays is not None:
            self.again(lambda: ledger.merge(site_key=SITE, member_id=member, into=into), stays)
            assert (outstanding(), forfeited()) == before
            if not is_repeated:  # the rules may have changed since the first time
                check_tier(Account.objects.get(pk=stays.pk))

    def erase(self, member: str, **_: Any) -> None:
        purchases = [order.purchase for order in self.orders if order.member == member]
        account = ledger.own_account(SITE, member)
        preview = ledger.preview_erasure(account) if account else None
        before, debts = outstanding(), sum(Account.objects.values_list("owed", flat=True))

        def verb() -> bool:
            return ledger.erase(site_key=SITE, member_id=member, purchases=purchases)

        if not self.attempt(verb, LedgerError) or account is None or preview is None:
            return
        assert outstanding() == before - preview.points + preview.owed
        assert sum(Account.objects.values_list("owed", flat=True)) == debts - preview.owed
        assert ledger.own_account(SITE, member) is None
        for merged, points in preview.reopened:  # each has an account of their own again, with what was left
            reopened = Account.objects.get(pk=merged.pk)
            assert (reopened.successor_id, reopened.available + reopened.pending) == (None, points)
        self.again(verb, False)

    # Invariants

    @is_due
    @invariant()
    def the_ledger_adds_up(self) -> None:
        check_ledger()

    @invariant()
    def entries_never_change(self) -> None:
        rows = {row["id"]: row for row in Entry.objects.values()}
        assert all(rows.get(pk) == row for pk, row in self.seen.items())
        self.seen = rows

    @is_due
    @invariant()
    def buckets_sum_to_zero_over_the_programme(self) -> None:
        """2 and 5: all points that were issued and adjusted are in a bucket."""
        buckets: Counter[str] = Counter()
        for src, dst, amount in Entry.objects.values_list("src", "dst", "amount"):
            buckets[src] -= amount
            buckets[dst] += amount
        assert sum(buckets.values()) == 0
        assert min(buckets[name] for name in (Bucket.REDEEMED, Bucket.EXPIRED, Bucket.REVERSED)) >= 0

    @is_due
    @invariant()
    def lots_account_for_every_point_once(self) -> None:
        """3 and 4: lots, holds and restored points agree."""
        assert not Lot.objects.filter(remaining__gt=0, account__successor__isnull=False).exists()
        for allocation in Allocation.objects.select_related("hold"):
            assert 0 <= allocation.points_restored <= allocation.points
            assert allocation.points_restored == 0 or allocation.hold.state == HoldState.CAPTURED

    @is_due
    @invariant()
    def what_belongs_to_an_account_counts_once(self) -> None:
        """M6, M7, M8: ended and erased accounts have nothing, the others all that was merged into them."""
        accounts = {account.pk: account for account in Account.objects.all()}
        sums: dict[int, Counter[str]] = {pk: Counter() for pk in accounts}
        for entry in Entry.objects.all():
            survivor = accounts[entry.account_id]
            while survivor.successor_id is not None:
                survivor = accounts[survivor.successor_id]
                assert survivor.member_id is not None or survivor.successor_id is not None
            sums[survivor.pk][entry.kind] += entry.amount
        for account in accounts.values():
            own = (account.available, account.pending, account.held, account.owed)
            if account.successor_id is not None or account.member_id is None:
                assert own == (0, 0, 0, 0)
                continue
            assert account.left_at is None or own[:2] == (0, 0)
            assert account.left_at is None or not (account.owed and account.forfeited)
            card, counted = ledger.points_card(SITE, account.member_id), sums[account.pk]
            rules = ledger.current_version(SITE).rules
            assert card.lifetime_earned == counted["earn"] - counted["claw_back"] - counted["forgive"]
            assert card.lifetime_redeemed == counted["capture"] + counted["late_capture"] - counted["restore"]
            assert order_of(9_000).earned(rules, tier=card.tier) == order_of(9_000).earned(rules, tier=account.tier)
        for member in MEMBERS:
            ended = ledger.own_account(SITE, member)
            if ended is not None and ended.successor_id is not None:
                card = ledger.points_card(SITE, member)
                assert (card.available, card.pending, card.held, card.owed, card.expiring) == (0, 0, 0, 0, ())

    @is_due
    @invariant()
    def the_liability_nets_no_debt(self) -> None:
        """M19"""
        now = reports.liability()
        parts = Account.objects.values_list("available", "pending", "held")
        assert (now.points, now.owed) == (sum(map(sum, parts)), sum(Account.objects.values_list("owed", flat=True)))

    @is_due
    @invariant()
    def orders_restore_and_claw_back_by_their_own_rules(self) -> None:
        """6, 8 and 9, by other arithmetic than the ledger's."""
        awards = {award.purchase: award for award in OrderAward.objects.select_related("version")}
        redemptions = {row.purchase: row for row in OrderRedemption.objects.select_related("version")}
        for order in self.orders:
            award, redemption = awards.get(order.purchase), redemptions.get(order.purchase)
            if redemption is not None:
                assert redemption.points_restored == restored_in_all(redemption, order)
            if award is not None:
                assert award.version_id == order.version
                assert award.points_clawed_back == clawed_back_in_all(award, order)
            assert RefundApplied.objects.filter(purchase=order.purchase).count() == len(order.parts)


def outstanding() -> int:
    """Return all points less all debts."""
    balances = Account.objects.values_list("available", "pending", "held", "owed")
    return sum(available + pending + held - owed for available, pending, held, owed in balances)


def forfeited() -> int:
    """Return the points that members have lost by leaving, and that repay their debts."""
    return sum(Account.objects.values_list("forfeited", flat=True))


def check_tier(account: Account) -> None:
    """Check the tier of an account that was just computed, by other arithmetic than the ledger's."""
    rules, since = ledger.current_version(SITE).rules, timezone.now() - timedelta(days=365)
    accounts, pks = list(Account.objects.all()), {account.pk}
    for _ in accounts:
        pks |= {each.pk for each in accounts if each.successor_id in pks}
    awards = [award for award in OrderAward.objects.filter(account__in=pks) if award.awarded_at > since]
    points = sum(award.proportional + award.fixed - award.points_clawed_back for award in awards)
    if rules.tier_basis is TierBasis.LIFETIME:
        points = sum(each.lifetime_earned for each in accounts if each.pk in pks)
    due = rules.tier_for(points)
    held = next((tier for tier in rules.tiers if tier.name == account.tier), rules.tiers[0])
    assert held == due or (rules.tier_grace_days and held.threshold > due.threshold)


def part(total: int, so_far: int, whole: int, mode: Rounding) -> int:
    if not whole:
        return 0
    exact = Fraction(total * so_far, whole)
    if mode is Rounding.FLOOR:
        return floor(exact)
    return ceil(exact) if mode is Rounding.CEIL else floor(exact + Fraction(1, 2))


def restored_in_all(redemption: OrderRedemption, order: Order) -> int:
    """A point is Rs 1 here: points pay whole rupees of the products first."""
    mode = redemption.version.rules.refund_rounding
    of_products = min(redemption.points, order.subtotal // 100) if order.shipping else redemption.points
    of_shipping = redemption.points - of_products
    return part(of_products, order.so_far[0], order.subtotal, mode) + part(
        of_shipping, order.so_far[1], order.shipping, mode
    )


def clawed_back_in_all(award: OrderAward, order: Order) -> int:
    mode = award.version.rules.refund_rounding
    assert award.shipping_basis <= order.shipping
    assert award.version.rules.earn_on_shipping or not award.shipping_proportional
    basis, points = award.basis - award.shipping_basis, award.proportional - award.shipping_proportional
    clawed_back = part(points, part(basis, order.so_far[0], order.subtotal, mode), basis, mode)
    if order.so_far[0] == order.subtotal:
        clawed_back = points + award.fixed
    if order.so_far[1] == order.shipping:
        return clawed_back + award.shipping_proportional
    of_shipping = part(award.shipping_basis, order.so_far[1], order.shipping, mode)
    return clawed_back + part(award.shipping_proportional, of_shipping, award.shipping_basis, mode)


class LedgerCheckedAtEveryStep(Ledger):
    checked_every = 1


def run(examples: int, steps: int, machine: type[Ledger] = Ledger) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)
@pytest.mark.django_db
def test_every_invariant_holds_for_any_sequence_of_verbs() -> None:
    """I5, M6, M7, M8, M19, N13"""
    run(examples=5, steps=40)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.django_db
def test_thousands_of_steps_keep_every_invariant() -> None:
    """I5"""
    run(examples=100, steps=40, machine=LedgerCheckedAtEveryStep)
