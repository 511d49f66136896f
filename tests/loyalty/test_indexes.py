"""Every checkout and refund finds its rows by an index, however long the history."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import QuerySet

from loyalink_khalti.loyalty.models import Account, Entry, Hold, IdempotencyKey, Lot
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption, RefundApplied

pytestmark = pytest.mark.django_db

LOOKUPS: dict[str, Callable[[], "QuerySet[Any]"]] = {
    "holds of a purchase": lambda: Hold.objects.filter(purchase="shop:1"),
    "award of a purchase": lambda: OrderAward.objects.filter(purchase="shop:1"),
    "redemption of a purchase": lambda: OrderRedemption.objects.filter(purchase="shop:1"),
    "awards of many purchases": lambda: OrderAward.objects.filter(purchase__in=["shop:1", "shop:2"]),
    "refunds of a purchase": lambda: RefundApplied.objects.filter(purchase="shop:1"),
    "account of a member": lambda: Account.objects.filter(program=1, member_id="7"),
    "available lots of an account": lambda: Lot.objects.filter(account=1, remaining__gt=0),
    "entry by its key": lambda: Entry.objects.filter(key="award:shop:1"),
    "history of an account": lambda: Entry.objects.filter(account=1).order_by("-seq"),
    "a cause recorded before": lambda: IdempotencyKey.objects.filter(scope="1:adjust", key="a"),
}


@pytest.mark.parametrize("lookup", LOOKUPS.values(), ids=LOOKUPS.keys())
def test_no_lookup_scans_a_table(lookup: Callable[[], "QuerySet[Any]"]) -> None:
    plan = lookup().explain()

    assert "SEARCH" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan
