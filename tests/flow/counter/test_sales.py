"""A sale at the counter earns by the rules of online orders, redeems by a code, within the limits, once per form."""

from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.errors import CannotSell, CounterLimitExceeded, InsideTransaction, RepeatedBill, SelfDealing
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.counter_codes import MAX_TRIES, MOST_PER_HOUR, VALID_FOR, CounterCode
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.loyalty.rules import CampaignRule, Rules
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.counter_sales import CounterSale, counter_movements
from tests.purchases import at_once

from .conftest import BINA, MAYA, audit, bill, redeeming, refund, sell, to_member

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]


def code_of(member_id: str) -> str:
    return flow.show_counter_code(site_key="default", member_id=member_id).digits


def limit(**limits: int) -> None:
    LoyaltySettings.objects.update_or_create(site=Site.objects.get(is_default_site=True), defaults=limits)


def refused(order: Any, **more: Any) -> CannotSell:
    """Return why a sale is refused, by its preview and by its record alike."""
    with pytest.raises(CannotSell) as first:
        flow.quote_counter_sale(order, actor=MAYA, **more)
    with pytest.raises(CannotSell) as then:
        sell(order, **more)
    assert (str(first.value), first.value.field) == (str(then.value), then.value.field)
    return first.value


# Earning


def test_a_sale_gives_a_member_the_points_that_an_order_of_the_same_amount_earns(account: Account) -> None:
    """U50: Rs 1,250 earn 125 points, as online; the receipt says the balance; the tier counts it."""
    recorded = sell(to_member("7"))

    account.refresh_from_db()
    assert recorded.is_new
    assert recorded.claim_code == ""
    assert (recorded.sale.points_earned, recorded.sale.points_balance) == (125, 1125)
    assert (account.available, account.lifetime_earned) == (1125, 125)
    assert OrderAward.objects.get().purchase == recorded.sale.purchase


def test_campaigns_tiers_and_bonuses_apply_and_rules_about_categories_do_not(account: Account) -> None:
    """U50: a campaign for all products doubles; one for a category, and an excluded category, mean nothing here."""
    year = {"starts_at": datetime(2020, 1, 1, tzinfo=UTC), "ends_at": datetime(2090, 1, 1, tzinfo=UTC)}
    everywhere = CampaignRule(name="Dashain", multiplier=Fraction(2), **year)
    category = CampaignRule(name="Pens", multiplier=Fraction(5), addition=Points(50), tags=("oscar:1",), **year)
    rules = Rules(campaigns=(everywhere, category), first_order_bonus=Points(10), excluded_tags=("oscar:2",))
    ledger.set_rules("default", rules, actor="1")

    first, second = sell(to_member("7")), sell(to_member("7"))

    assert (first.sale.points_earned, second.sale.points_earned) == (260, 250)


def test_the_preview_says_what_the_record_does(account: Account) -> None:
    order = redeeming("7", 500)
    quote = flow.quote_counter_sale(order, actor=MAYA)

    recorded = sell(order)

    assert (quote.earned, quote.points_value, quote.amount_due, quote.balance) == (120, 5000, 120_000, 1000)
    sale = recorded.sale
    assert (sale.points_earned, sale.points_value, sale.amount_due) == (120, 5000, 120_000)
    account.refresh_from_db()
    assert (account.available, account.held, account.lifetime_redeemed) == (620, 0, 500)


def test_paused_earning_gives_nothing_and_the_sale_is_recorded_all_the_same(account: Account) -> None:
    ledger.set_rules("default", Rules(earn_paused=True), actor="1")

    assert sell(to_member("7")).sale.points_earned == 0


# Whom


def test_a_member_who_has_left_or_was_merged_gets_nothing_and_staff_read_why(account: Account) -> None:
    flow.leave_program(site_key="default", member_id="7")
    assert "has left" in str(refused(to_member("7")))

    ledger.adjust(site_key="default", member_id="8", points=10, key="8", reason="opening")
    ledger.adjust(site_key="default", member_id="9", points=10, key="9", reason="opening")
    ledger.merge(site_key="default", member_id="8", into="9", actor="1")
    assert "moved to another account" in str(refused(to_member("8")))


def test_a_customer_is_found_by_address_and_other_texts_are_refused(shop: Any) -> None:
    user = get_user_model().objects.create(username="sita", email="Sita@example.com")

    by_address = flow.find_customer(" sita@EXAMPLE.com ", site_key="default")
    by_phone = flow.find_customer("+977 984-1234567", site_key="default")

    assert [pk for pk, _contact in by_address.members] == [str(user.pk)]
    assert (by_phone.phone, by_phone.members) == ("9841234567", ())
    with pytest.raises(CannotSell):
        flow.find_customer("12345", site_key="default")


@pytest.mark.parametrize("contact", [{"email": "STAFF3+shop@shop.example"}, {"member_id": MAYA}])
def test_nobody_sells_to_themselves(shop: Any, contact: dict[str, str]) -> None:
    """U54: not to one's own account, nor to one's own address before there is an account."""
    order = bill(**{"phone": "", **contact})

    with pytest.raises(SelfDealing):
        flow.quote_counter_sale(order, actor=MAYA)
    with pytest.raises(SelfDealing):
        sell(order, may_exceed_limit=True)
    assert sell(order, by=BINA).is_new


# Redeeming


@pytest.mark.parametrize(("points", "says"), [(105, "100 or 110 would do"), (20, "100 would do"), (1010, "has 1,000")])
def test_points_are_redeemed_by_the_rules_of_online_orders(account: Account, points: int, says: str) -> None:
    """U51: in steps, from a minimum, up to the balance."""
    assert says in str(refused(redeeming("7", points)))


def test_points_pay_no_more_of_a_bill_than_the_rules_allow(account: Account) -> None:
    ledger.set_rules("default", Rules(maximum_percent=50), actor="1")

    error = refused(redeeming("7", 600, amount=Paisa(10_000)))

    assert "500 would do" in str(error)
    assert sell(redeeming("7", 500, amount=Paisa(10_000))).sale.amount_due == 5_000


def test_a_blocked_member_and_a_guest_redeem_nothing(account: Account) -> None:
    order = redeeming("7", 500)
    flow.set_blocked(account, blocked=True, actor="1")

    assert "blocked" in str(refused(order))
    assert "Only a customer with an account" in str(refused(bill(points=Points(100), code="123456")))
    with pytest.raises(flow.NoCode):
        code_of("7")


def test_a_code_is_used_once_and_stored_as_a_hash(account: Account) -> None:
    """U52"""
    order = redeeming("7", 100)
    sell(order)

    assert refused(replace(order, bill_number="B2")).field == "code"
    row = CounterCode.objects.get()
    assert order.code not in f"{row.digest} {row.nonce} {row.used_for}"
    assert row.used_for == CounterSale.objects.get().purchase


def test_a_code_is_the_member_s_own_and_that_of_one_site(account: Account) -> None:
    """U52"""
    ledger.adjust(site_key="default", member_id="8", points=1000, key="8", reason="opening")
    code = code_of("8")

    assert refused(redeeming("7", 100, code=code if code != "000000" else "000001")).field == "code"


def test_a_code_ends_after_minutes_with_the_next_one_and_after_wrong_tries(account: Account) -> None:
    """U52: within all tries of one code, 5 of 1,000,000 can be guessed."""
    with time_machine.travel(datetime(2026, 12, 1, 6, tzinfo=UTC), tick=False) as clock:
        old = redeeming("7", 100)
        new = redeeming("7", 100)
        assert refused(old).field == "code" if old.code != new.code else True
        clock.shift(VALID_FOR)
        assert refused(new).field == "code"
        order = redeeming("7", 100)
        wrong = replace(order, code=f"{(int(order.code) + 1) % 10**6:06d}")
        for _each in range(MAX_TRIES):
            with pytest.raises(CannotSell):
                flow.quote_counter_sale(wrong, actor=MAYA)
        assert refused(order).field == "code"


def test_a_member_gets_a_bounded_number_of_codes(account: Account) -> None:
    for _each in range(MOST_PER_HOUR):
        code_of("7")

    with pytest.raises(flow.NoCode):
        code_of("7")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
def test_one_code_used_twice_at_once_redeems_once(account: Account) -> None:
    """U55"""
    order = redeeming("7", 500)

    def redeem(number: int) -> bool:
        try:
            return sell(replace(order, bill_number=f"B{number}")).is_new
        except CannotSell:
            return False

    assert sorted(at_once(4, redeem)) == [False, False, False, True]
    account.refresh_from_db()
    assert (account.available, CounterSale.objects.count()) == (620, 1)


# Once


def test_a_form_that_is_sent_again_records_nothing_more_and_other_figures_are_refused(account: Account) -> None:
    """U53"""
    order = redeeming("7", 100)
    first, second = sell(order, key="form"), sell(order, key="form")

    assert (first.is_new, second.is_new, second.sale.pk) == (True, False, first.sale.pk)
    with pytest.raises(CannotSell, match="other figures"):
        sell(replace(order, amount=Paisa(1000)), key="form")
    assert CounterSale.objects.count() == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
@pytest.mark.parametrize("key", ["form", ""], ids=["one form", "one bill"])
def test_two_clicks_at_once_and_two_forms_of_one_bill_record_one_sale(account: Account, key: str) -> None:
    """U53"""
    order = to_member("7", bill_number="B1")

    def record(_number: int) -> bool:
        try:
            return sell(order, key=key).is_new
        except RepeatedBill:
            return False

    assert sorted(at_once(4, record)) == [False, False, False, True]
    account.refresh_from_db()
    assert account.available == 1125


def test_the_same_number_of_a_bill_on_one_day_is_asked_about(account: Account) -> None:
    """U53: digits and letters of any form; another day, and another site, have numbers of their own."""
    sell(to_member("7", bill_number="a-12"))

    again = to_member("7", bill_number=" A-१२ ")
    assert refused(again).field == "bill_number"
    assert sell(replace(again, is_another=True)).sale.repetition == 1
    assert sell(replace(again, is_another=True)).sale.repetition == 2
    assert sell(replace(again, bill_day=date(2026, 12, 2))).sale.repetition == 0


def test_a_sale_commits_by_itself(account: Account) -> None:
    from django.db import transaction

    with transaction.atomic(), pytest.raises(InsideTransaction):
        sell(to_member("7"))


# Limits


def test_a_sale_is_bounded_by_itself_by_customer_and_day_and_by_colleague_and_day(account: Account) -> None:
    """U54: what it gives and what it redeems count; a permission lifts the limits."""
    limit(counter_limit_per_sale=125, counter_limit=200, counter_limit_per_actor=300)
    sell(to_member("7"))

    assert isinstance(refused(to_member("7", amount=Paisa(126_000))), CounterLimitExceeded)
    assert "Left now: 75" in str(refused(to_member("7")))
    sell(bill())
    assert "all customers" in str(refused(bill(phone="9851234567")))
    assert sell(bill(phone="9851234567"), by=BINA).is_new
    assert sell(to_member("7", amount=Paisa(900_000)), may_exceed_limit=True).is_new


def test_redeemed_points_count_for_the_limits(account: Account) -> None:
    limit(counter_limit_per_sale=300)

    assert isinstance(refused(redeeming("7", 300, amount=Paisa(10_000))), CounterLimitExceeded)


def test_the_limits_count_sales_of_one_address_before_it_has_an_account(shop: Any) -> None:
    limit(counter_limit=125)
    sell(bill(phone="", email="sita@example.com"))

    assert isinstance(refused(bill(phone="", email="Sita@example.com")), CounterLimitExceeded)


# The money


def test_the_movements_of_a_day_sum_to_the_till(account: Account) -> None:
    """U56: sales and refunds with what was paid, and what points paid, to the paisa."""
    with time_machine.travel(datetime(2026, 12, 1, 6, tzinfo=UTC)):
        sold = sell(redeeming("7", 500))
        sell(bill(method="card"))
    with time_machine.travel(datetime(2026, 12, 2, 6, tzinfo=UTC)):
        refund(sold, 1000)

    first = list(counter_movements(since=date(2026, 12, 1), until=date(2026, 12, 1), site_key="default"))
    second = list(counter_movements(since=date(2026, 12, 2)))

    assert [(row.method, row.amount, row.points_value, row.money) for row in first] == [
        ("cash", 125_000, 5_000, 120_000), ("card", 125_000, 0, 125_000),
    ]  # fmt: skip
    assert [(row.amount, row.points_value, row.money) for row in second] == [(-100_000, -4_000, -96_000)]
    assert list(counter_movements(site_key="other")) == []


# The audit


def test_points_without_a_sale_breaks_an_invariant(account: Account) -> None:
    """I22, U56"""
    recorded = sell(to_member("7"))
    CounterSale.objects.update(key="another")

    assert {line.split()[0] for line in audit()} == {"I22"}
    CounterSale.objects.filter(pk=recorded.sale.pk).update(key=recorded.sale.key)


def test_another_number_of_points_or_an_unused_code_breaks_an_invariant(account: Account) -> None:
    """I22, I23, U56"""
    sell(redeeming("7", 500))
    CounterSale.objects.update(points_earned=1)
    CounterCode.objects.update(used_at=None, used_for="")

    assert sorted(line.split()[0] for line in audit()) == ["I22", "I23"]
