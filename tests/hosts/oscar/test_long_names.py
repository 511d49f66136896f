"""A shop with a long name: what Khalti's page shows of its orders."""

import pytest
from pytest_django import Settings as SettingsWrapper

from loyalink_khalti.khalti.wire import MAX_NAME

from .conftest import Customer, Store, only_order, payment_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both]


@pytest.mark.parametrize("shop_name", ["Saraswati Stationery and Sons, " * 9, "सरस्वती स्टेशनरी तथा पुस्तक पसल " * 9])
def test_khaltis_page_shows_the_whole_order_number(
    store: Store, guest: Customer, settings: SettingsWrapper, shop_name: str
) -> None:
    """H9"""
    settings.OSCAR_SHOP_NAME = shop_name

    shown = payment_of(guest.buy(store.notebook)).purchase.frozen_cart.name

    assert shown.endswith(f"…, {only_order().number}")
    assert len(shown) <= MAX_NAME
