"""A refund of a counter sale returns money and points both ways, in parts that sum to the whole, once per form."""

from typing import Any

import pytest
from django.db import connection
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.errors import CannotRefund, RefundLimitExceeded, SelfDealing
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.counter_sales import CounterRefund, CounterSale
from tests.purchases import at_once

from .conftest import BINA, MAYA, bill, redeeming, refund, sell, to_member

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]


def test_parts_sum_to_the_whole_for_money_and_points(account: Account) -> None:
    """U56: Rs 1,250, 500 points used (Rs 50), 120 earned; refunded in three parts."""
    recorded = sell(redeeming("7", 500))

    parts = [refund(recorded, rupees).refund for rupees in (333, 334, 583)]

    assert sum(part.money for part in parts) == 120_000
    assert sum(part.points_restored for part in parts) == 500
    assert sum(part.points_clawed_back for part in parts) == 120
    account.refresh_from_db()
    assert (account.available, account.owed, account.lifetime_earned) == (1000, 0, 0)
    sale = CounterSale.objects.get()
    assert (sale.left, sale.refunded_money) == (0, 120_000)


def test_the_preview_says_what_the_refund_does(account: Account) -> None:
    recorded = sell(redeeming("7", 500))
    quote = flow.quote_counter_refund(recorded.sale, Paisa(50_000), actor=MAYA)

    row = refund(recorded, 500).refund

    assert (quote.money, quote.points_restored, quote.points_clawed_back) == (48_000, 200, 48)
    assert (row.money, row.points_restored, row.points_clawed_back) == (48_000, 200, 48)


def test_no_more_than_the_bill_is_refunded(account: Account) -> None:
    recorded = sell(to_member("7"))
    refund(recorded, 1000)

    with pytest.raises(CannotRefund, match="Only Rs 250"):
        refund(recorded, 251)
    refund(recorded, 250)
    with pytest.raises(CannotRefund, match="Nothing"):
        refund(recorded, 1)


def test_a_refund_before_the_claim_lowers_what_is_claimed(shop: Any) -> None:
    recorded = sell(bill())
    refund(recorded, 1000)

    points = flow.claim_counter_sale(recorded.claim_code, site_key="default", member_id="7")

    assert points == 25
    assert Account.objects.get(member_id="7").available == 25


def test_one_form_refunds_once(account: Account) -> None:
    recorded = sell(to_member("7"))

    first, second = refund(recorded, 500, key="form"), refund(recorded, 500, key="form")

    assert (first.is_new, second.is_new, CounterRefund.objects.count()) == (True, False, 1)
    with pytest.raises(CannotRefund, match="other figures"):
        refund(recorded, 600, key="form")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
def test_refunds_at_once_pay_out_no_more_than_the_bill(account: Account) -> None:
    """U55"""
    recorded = sell(to_member("7"))

    def take(_number: int) -> bool:
        try:
            return bool(refund(recorded, 800).is_new)
        except CannotRefund:
            return False

    assert sorted(at_once(4, take)) == [False, False, False, True]


def test_refunds_are_bounded_per_bill_and_per_colleague_and_day(account: Account) -> None:
    site = Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.create(site=site, refund_limit=60_000, refund_limit_per_actor=80_000)
    first, second = sell(to_member("7")), sell(to_member("7"))
    refund(first, 600)

    for recorded, rupees in ((first, 1), (second, 201)):
        with pytest.raises(RefundLimitExceeded):
            refund(recorded, rupees)
    assert refund(second, 201, by=BINA).is_new
    assert refund(first, 650, may_exceed_limit=True).is_new


def test_nobody_refunds_their_own_sale(account: Account) -> None:
    recorded = sell(to_member(MAYA), by=BINA)

    with pytest.raises(SelfDealing):
        refund(recorded, 100)
