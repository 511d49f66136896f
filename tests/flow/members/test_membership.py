"""A member leaves the programme while orders, payments and refunds are under way, and joins it again."""

from typing import Any

import pytest
from django.utils import translation

from loyalink_khalti import flow
from loyalink_khalti.errors import AccountMerged, CannotAdjust, CannotClaim, TermsChanged
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SITE, MEMBER = "default", "7"


def leave(member_id: str = MEMBER) -> int:
    return flow.leave_program(site_key=SITE, member_id=member_id)


def join(version: str = "", member_id: str = MEMBER) -> bool:
    version = version or flow.program_terms(SITE).version
    return flow.accept_terms(site_key=SITE, member_id=member_id, version=version)


def is_sound() -> bool:
    return not [violation for violation in flow.audit_violations() if violation.subject != "fake"]


def points_of(account: Account) -> tuple[int, int, int]:
    account.refresh_from_db()
    return account.available, account.held, account.owed


def test_a_payment_that_is_open_when_its_member_leaves_uses_its_points_and_earns_none(
    khalti: Khalti, account: Account, payment: Payment
) -> None:
    assert leave() == 500
    khalti.pay(payment.pidx)

    flow.verify_payment(payment, ignore_back_off=True)

    payment.purchase.refresh_from_db()
    assert (payment.purchase.state, payment.purchase.earned) == ("placed", 0)
    assert points_of(account) == (0, 0, 0)
    account.refresh_from_db()
    assert account.lifetime_redeemed == 500
    assert is_sound()


def test_a_payment_that_is_not_paid_gives_no_points_back_to_who_has_left(
    khalti: Khalti, account: Account, payment: Payment
) -> None:
    leave()

    flow.cancel_payment(payment)

    assert points_of(account) == (0, 0, 0)
    assert is_sound()


def test_cash_that_arrives_after_leaving_earns_nothing_and_its_refund_takes_nothing(
    shop: FakeShop, account: Account
) -> None:
    """T21"""
    purchase = flow.place_order(shop.freeze(shop.cart(member_id=MEMBER)), method=PaymentMethod.COD)
    before = flow.points_after_order(purchase)
    leave()
    flow.mark_received(purchase, actor="1")
    flow.refund_order(purchase, subtotal=Paisa(250_000), shipping=Paisa(0), lines=[("pen", 1)], key="r", actor="1")

    assert before is not None
    assert (before.earned, before.expected, before.card.available) == (0, 250, 1_000)
    assert flow.points_after_order(purchase) is None
    assert points_of(account) == (0, 0, 0)
    assert is_sound()


def test_a_refund_after_leaving_returns_the_money_and_no_points(
    khalti: Khalti, account: Account, payment: Payment
) -> None:
    """T21"""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)
    leave()

    flow.refund_order(
        payment.purchase, subtotal=Paisa(250_000), shipping=Paisa(0), lines=[("pen", 1)], key="r", actor="1"
    )

    account.refresh_from_db()
    assert (*points_of(account), account.forfeited) == (0, 0, 0, 1_000)  # 745 were lost, 500 restored, 245 clawed back
    assert is_sound()


def test_who_has_left_is_quoted_no_points_and_the_card_says_since_when(shop: FakeShop, account: Account) -> None:
    leave()
    cart = shop.cart(member_id=MEMBER)

    quote = flow.quote(
        site_key=SITE, member_id=MEMBER, subtotal=Paisa(250_000), shipping=Paisa(0), lines=cart.lines
    )  # fmt: skip
    card = flow.member_card(site_key=SITE, member_id=MEMBER)

    assert (quote.has_left, quote.points_balance, quote.points_earned, quote.redeemable) == (True, 0, 0, 0)
    assert flow.points_for_lines(site_key=SITE, member_id=MEMBER, lines=cart.lines) == [0]
    assert (card.is_active, card.card.left_at is not None) == (False, True)
    assert [line.text for line in card.history.lines] == ["Lost by leaving the programme", "Points from before"]


def test_staff_cannot_change_the_points_of_who_has_left_and_a_guests_order_is_not_claimed(
    shop: FakeShop, account: Account, settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}
    leave()
    purchase = flow.place_order(shop.freeze(shop.cart()), method=PaymentMethod.COD)
    account.refresh_from_db()

    with pytest.raises(CannotAdjust, match="left the loyalty programme"):
        flow.adjust_points(account, 10, key="1", reason="goodwill", actor="1")
    with pytest.raises(CannotClaim, match="left the loyalty programme"):
        flow.claim_points(
            flow.claim_path(purchase).split("/")[-2], member_id=MEMBER, email="sita@example.com", is_verified=True
        )


def test_a_guests_order_from_before_its_buyer_joined_again_is_not_claimed_for_nothing(
    shop: FakeShop, account: Account, settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}
    leave()
    purchase = flow.place_order(shop.freeze(shop.cart()), method=PaymentMethod.COD)
    join()

    with pytest.raises(CannotClaim, match="no points to claim"):
        flow.claim_points(
            flow.claim_path(purchase).split("/")[-2], member_id=MEMBER, email="sita@example.com", is_verified=True
        )

    purchase.refresh_from_db()
    assert purchase.claimed_by is None


def test_only_the_terms_of_now_can_be_accepted_and_the_words_are_kept_as_they_were_read(account: Account) -> None:
    """T23"""
    read = flow.program_terms(SITE).version
    ledger.set_rules(SITE, Rules(signup_bonus=Points(50)))

    with pytest.raises(TermsChanged):
        join(read)
    with translation.override("ne"):
        assert join()
        words = flow.program_terms(SITE).sentences

    card = flow.member_card(site_key=SITE, member_id=MEMBER)
    assert card.has_accepted
    stored = account.membership_events.get().terms
    assert stored is not None
    assert (stored.language, tuple(stored.sentences)) == ("ne", words)
    ledger.set_rules(SITE, Rules(signup_bonus=Points(60)))
    assert not flow.member_card(site_key=SITE, member_id=MEMBER).has_accepted


def test_a_merged_account_can_neither_leave_nor_join(account: Account) -> None:
    ledger.merge(site_key=SITE, member_id=MEMBER, into="8")

    for verb in (leave, join):
        with pytest.raises(AccountMerged, match="moved to another account"):
            verb()


# At the same moment


def test_leaving_while_a_payment_is_confirmed_leaves_no_points_whichever_is_first(
    khalti: Khalti, account: Account, payment: Payment
) -> None:
    """T22"""
    khalti.pay(payment.pidx)

    at_once(2, lambda index: leave() if index else flow.verify_payment(Payment.objects.get(), ignore_back_off=True))

    payment.purchase.refresh_from_db()
    assert payment.purchase.state == "placed"
    assert points_of(account) == (0, 0, 0)
    assert is_sound()


def test_leaving_and_joining_by_many_clicks_at_once_keeps_the_books_right(account: Account) -> None:
    """T22"""
    version = flow.program_terms(SITE).version

    done = at_once(8, lambda index: join(version) if index % 2 else leave())

    assert not [each for each in done if isinstance(each, Exception)]
    assert sum(points for index, points in enumerate(done) if not index % 2) == 1_000  # lost once
    assert points_of(account) == (0, 0, 0)
    assert is_sound()


def test_leaving_while_orders_begin_holds_no_points_of_who_has_left(shop: FakeShop, account: Account) -> None:
    """T22: an order that comes second is refused; one that was first keeps what it holds."""
    shop.stock(pen=9)

    def begin(_index: int) -> Any:
        cart = shop.cart(member_id=MEMBER, points_redeemed=Points(300))
        return flow.place_order(shop.freeze(cart), method=PaymentMethod.BANK_TRANSFER)

    done = at_once(4, lambda index: begin(index) if index else leave())

    placed = [each for each in done[1:] if not isinstance(each, Exception)]
    account.refresh_from_db()
    assert account.lifetime_redeemed == 300 * len(placed)
    assert done[0] == 1_000 - 300 * len(placed) == account.forfeited
    assert is_sound()
