"""A customer of the counter is exported, erased and forgotten; a verified address gets the points by itself."""

from datetime import date
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.test import RequestFactory
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.flow.counter.codes import CLAIM_PERIOD
from loyalink_khalti.loyalty.counter_codes import CounterCode
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.counter_sales import CounterSale

from .conftest import bill, redeeming, refund, sell, to_member

pytestmark = pytest.mark.django_db(transaction=True)


def always_verified(user: Any) -> bool:
    return bool(user.email)


def test_the_sales_of_a_member_and_of_a_verified_address_are_exported(account: Account) -> None:
    """U57"""
    refund(sell(redeeming("7", 500, bill_number="A-1")), 250)
    sell(bill(phone="", email="sita@example.com", bill_number="A-2"))
    sell(bill(bill_number="A-3"))

    head, _purchases = flow.export_personal_data(flow.DataSubject(member_id="7", email="Sita@example.com"))

    exported = {sale["bill"]: sale for sale in head["counter_sales"]}
    assert sorted(exported) == ["A-1", "A-2"]
    assert (exported["A-1"]["points_redeemed"], len(exported["A-1"]["refunds"])) == (500, 1)
    assert exported["A-2"]["email"] == "sita@example.com"


def test_erasing_a_customer_takes_address_number_claim_and_codes_away(account: Account) -> None:
    """U57: amounts and points stay, and nobody can claim the sale any more."""
    flow.show_counter_code(site_key="default", member_id="7")
    recorded = sell(bill(phone="", email="sita@example.com"))
    sell(to_member("7"))

    flow.erase_personal_data(flow.DataSubject(member_id="7", email="sita@example.com"))

    assert not CounterSale.objects.exclude(email="", phone="", claim_name=None).exists()
    assert not CounterCode.objects.exists()
    assert flow.guest_subject("sita@example.com") is None
    with pytest.raises(Exception, match="wrong"):
        flow.claim_counter_sale(recorded.claim_code, site_key="default", member_id="8")


def test_a_guest_of_the_counter_is_known_by_the_address(shop: Any) -> None:
    sell(bill(phone="", email="sita@example.com"))

    assert flow.guest_subject("SITA@example.com") is not None


def test_addresses_and_numbers_are_forgotten_when_the_time_to_claim_is_over(shop: Any) -> None:
    """U57"""
    recorded = sell(bill())
    with time_machine.travel(timezone.now() + CLAIM_PERIOD):
        flow.run_points()

    recorded.sale.refresh_from_db()
    assert (recorded.sale.phone, recorded.sale.claim_hash, recorded.sale.claim_name) == ("", "", None)


def test_whoever_logs_in_with_an_address_that_the_shop_has_verified_gets_the_points(shop: Any, settings: Any) -> None:
    """U58: and nobody else: without ``EMAIL_IS_VERIFIED`` an address proves nothing."""
    user = get_user_model().objects.create(username="sita", email="sita@example.com")
    sell(bill(phone="", email="sita@example.com"))
    request = RequestFactory().get("/")

    user_logged_in.send(sender=type(user), request=request, user=user)
    assert not Account.objects.filter(member_id=str(user.pk)).exists()

    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "EMAIL_IS_VERIFIED": f"{__name__}.always_verified"}
    user_logged_in.send(sender=type(user), request=request, user=user)
    assert Account.objects.get(member_id=str(user.pk)).available == 125


def test_the_points_card_names_the_bill(account: Account) -> None:
    sell(to_member("7", bill_number="A-12", bill_day=date(2026, 12, 1)))

    (line, *_older) = flow.member_card(site_key="default", member_id="7").history.lines

    assert line.text.endswith("in our shop, bill A-12")
    assert (line.shop, line.ref) == ("counter", "A-12")
