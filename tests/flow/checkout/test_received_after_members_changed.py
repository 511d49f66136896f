"""Cash and bank transfers for orders of members who were merged or erased since: points go where they belong."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.testing import FakeShop
from tests.loyalty.conftest import check_ledger

from .test_received import DUE, cancel, is_sound, money_of, purchase, receive

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]
__all__ = ["purchase"]


def merge_into_another(account: Account) -> Account:
    other = flow.own_account(site_key=account.program.site_key, member_id="99")
    flow.merge_members(account, into=other, actor="1", may_exceed_limit=True)
    return other


def available(account: Account) -> int:
    account.refresh_from_db()
    return account.available


def test_the_account_that_stays_earns_once_whatever_is_corrected(account: Account, purchase: Purchase) -> None:
    """M6 with M25."""
    other = merge_into_another(account)

    receive(purchase, DUE)
    assert (available(other), available(account)) == (745, 0)
    flow.reverse_received(ReceivedMoney.objects.get(), reason="wrong order", key="r", actor="1")
    assert available(other) == 500
    receive(purchase, DUE)

    assert (available(other), available(account), money_of(purchase)) == (745, 0, (DUE, 0))
    assert is_sound()


def test_a_cancelled_order_of_an_account_that_has_ended_is_not_placed_again_with_points_of_another(
    account: Account, purchase: Purchase
) -> None:
    """M6 with M25."""
    cancel(purchase)
    other = merge_into_another(account)

    result = receive(purchase, DUE)

    assert "points that this order used" in result.obstacle
    assert (available(other), money_of(purchase)) == (1000, (0, DUE))
    assert is_sound()
    check_ledger()


def test_points_that_an_erased_member_earns_later_are_written_off_and_can_be_corrected(
    account: Account, purchase: Purchase
) -> None:
    """M8 with M25."""
    flow.erase_personal_data(flow.DataSubject(member_id=account.member_id), actor="1")

    receive(purchase, DUE)
    flow.reverse_received(ReceivedMoney.objects.get(), reason="wrong order", key="r", actor="1")
    receive(purchase, DUE)

    assert Account.objects.filter(member_id=purchase.member_id).count() == 0
    assert available(account) == account.owed == account.pending == 0
    assert ledger.find_account(account.program.site_key, str(purchase.member_id)) is None
    assert is_sound()


def test_a_cancelled_order_of_an_erased_member_keeps_its_money_for_a_refund(
    shop: FakeShop, account: Account, purchase: Purchase
) -> None:
    """M8 with M25."""
    cancel(purchase)
    flow.erase_personal_data(flow.DataSubject(member_id=account.member_id), actor="1")

    result = receive(purchase, DUE)

    assert result.obstacle
    assert (money_of(purchase), available(account)) == ((0, DUE), 0)
    flow.refund_surplus(purchase, amount=DUE, key="back", actor="1")  # type: ignore[arg-type]  # paisa
    assert money_of(purchase) == (0, 0)
    assert is_sound()
    check_ledger()
