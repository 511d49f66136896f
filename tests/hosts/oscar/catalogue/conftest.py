"""A small stationery shop for tests that buy nothing."""

from typing import Any

import pytest
from oscar.core.loading import get_model

from tests.hosts.oscar.conftest import Store

Product = get_model("catalogue", "Product")


@pytest.fixture
def catalogue(db: None) -> Store:
    return Store()


def family(store: Store) -> Any:
    """Create a parent with children in two colours, each with a SKU of its own."""
    parent = Product.objects.create(title="Ink", structure="parent", product_class=store.kind, upc="INK")
    parent.categories.add(store.category)
    for colour, rupees, stock in (("indigo", "120.00", 3), ("black", "90.00", 4)):
        child = Product.objects.create(title=f"Ink {colour}", structure="child", parent=parent, upc=f"UPC-{colour}")
        get_model("partner", "StockRecord").objects.create(
            product=child, partner=store.partner, partner_sku=f"INK-{colour}", price=rupees, num_in_stock=stock,
            price_currency="NPR",
        )  # fmt: skip
    return parent
