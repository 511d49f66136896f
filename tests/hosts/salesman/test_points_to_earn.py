"""What the products of a Salesman shop earn, before any order."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from loyalink_khalti import shown_points
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.rules import Rules

from .site.models import Tea, Voucher

pytestmark = [pytest.mark.django_db, pytest.mark.same_on_both]


def test_a_product_earns_by_its_price_and_its_type(settings: Any) -> None:
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI,
        "SHOPS": {"salesman": "loyalink_khalti.hosts.salesman.shop.SalesmanShop"},
    }
    ledger.set_rules("default", Rules(multipliers=(("salesman:salesman_site.Tea", Fraction(2)),)))
    products = [kind(name="A", code="a", price=Decimal("450.00")) for kind in (Tea, Voucher)]

    found = shown_points.of_products([*products, object()], None)

    assert [each.points for each in found] == [90, 45, 0]
