"""A refund that was not made is taken back: what it restored is used again, what it clawed back is earned again."""

import random
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from loyalink_khalti.errors import LedgerConflict
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import RefundedParts
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.loyalty.orders import OrderAward, RefundApplied
from loyalink_khalti.loyalty.rules import Shortfall
from loyalink_khalti.money import Paisa

from .conftest import account_of, adjust, award, balances, capture, hold, refund, refund_parts, remaining, set_rules

pytestmark = [pytest.mark.money, pytest.mark.django_db]

ORDER = (200_000, 15_000)
"""Rs 2,000 of products and Rs 150 of delivery."""


def take_back(
    products: int, shipping: int = 0, *, of: tuple[int, int] = (200_000, 0), ref: str = ""
) -> tuple[int, int]:
    """Take back refunds until so much is refunded; return the points used again and earned again."""
    parts = RefundedParts(
        refunded_subtotal=Paisa(products), subtotal=Paisa(of[0]),
        refunded_shipping=Paisa(shipping), shipping=Paisa(of[1]),
    )  # fmt: skip
    ref = ref or f"back to {products} and {shipping}"
    is_new = not RefundApplied.objects.filter(refund_ref=ref).exists()
    preview = ledger.preview_reversal("shop:1", parts)
    moved = ledger.reverse_refund(purchase="shop:1", refund_ref=ref, parts=parts)
    assert not is_new or preview == ledger.RefundedPoints(
        points_restored=-moved.points_restored, points_clawed_back=-moved.points_clawed_back
    )
    return -moved.points_restored, -moved.points_clawed_back


@pytest.fixture
def order(account: Account) -> None:
    """Rs 2,000 = 500 points (Rs 50) and money; 195 points are earned."""
    adjust(500)
    hold(500)
    capture(value=5_000)
    award(200_000, points_value=5_000)


def test_a_part_that_is_taken_back_leaves_the_points_as_they_were(order: None) -> None:
    """M3"""
    before = balances(), remaining()
    assert refund(80_000, 200_000) == (200, 78)

    assert take_back(0) == (200, 78)

    assert (balances(), remaining()) == before


def test_it_is_taken_back_once_and_never_to_more_than_is_refunded(order: None) -> None:
    """M3"""
    refund(80_000, 200_000)
    assert take_back(30_000, ref="again") == (125, 49)
    entries = Entry.objects.count()

    assert take_back(30_000, ref="again") == (125, 49)
    assert Entry.objects.count() == entries
    with pytest.raises(LedgerConflict):
        take_back(30_001)


def test_a_refund_after_a_reversal_goes_on_from_there(order: None) -> None:
    """M3, L8, L9: and the whole is the whole."""
    refund(200_000, 200_000)
    take_back(50_000)

    assert refund(120_000, 200_000) == (175, 68)
    refund(200_000, 200_000, ref="all of it, again")

    assert balances() == (500, 0, 0)


def test_points_that_the_member_has_used_are_owed(order: None) -> None:
    """M3: 500 restored, 195 clawed back, all used since."""
    refund(200_000, 200_000)
    adjust(-500, "used")

    assert take_back(0) == (500, 195)

    account = account_of()
    assert (account.available, account.owed, account.lifetime_earned, account.lifetime_redeemed) == (0, 305, 195, 500)


@pytest.mark.parametrize("shortfall", [Shortfall.FORGIVE, Shortfall.PENDING_ONLY])
def test_points_that_were_written_off_stay_with_the_shop(account: Account, shortfall: Shortfall) -> None:
    """M3, D-9: the member had used them when they were clawed back."""
    set_rules(shortfall=shortfall)
    award(200_000)
    adjust(-200, "used")
    refund(200_000, 200_000)
    written_off = OrderAward.objects.get().points_forgiven

    assert take_back(0) == (0, 200)

    award_ = OrderAward.objects.get()
    assert (written_off, award_.points_forgiven, award_.points_clawed_back) == (200, 0, 0)
    assert (account_of().available, account_of().lifetime_earned) == (0, 200)


def test_points_that_are_not_available_yet_wait_again(account: Account) -> None:
    """M3, D-14"""
    set_rules(pending_days=14)
    award(200_000)
    refund(50_000, 200_000)

    assert take_back(0) == (0, 50)

    account = account_of()
    assert (account.pending, account.available) == (200, 0)
    with time_machine.travel(timezone.now() + timedelta(days=15)):
        ledger.activate(account.pk)
    assert account_of().available == 200


def test_products_and_delivery_are_taken_back_apart(account: Account) -> None:
    """M3, M4"""
    set_rules(earn_on_shipping=True)
    award(ORDER[0], shipping=ORDER[1])
    assert refund_parts((0, ORDER[0]), (15_000, ORDER[1])) == (0, 15)
    refund_parts((100_000, ORDER[0]), (15_000, ORDER[1]))

    assert take_back(100_000, 0, of=ORDER) == (0, 15)
    assert take_back(0, 0, of=ORDER) == (0, 100)

    assert account_of().available == 215


def test_any_order_of_refunds_and_reversals_agrees_and_ends_as_the_last_figures_say(order: None) -> None:
    """M3: nothing depends on the way there."""
    chance = random.Random(7)
    so_far = 0
    for step in range(40):
        more = chance.randrange(200_001)
        if more >= so_far:
            refund(more, 200_000, ref=f"step {step}")
        else:
            take_back(more, ref=f"step {step}")
        so_far = more
        account_of()
    if so_far < 200_000:
        refund(200_000, 200_000, ref="the end")

    assert balances() == (500, 0, 0)
