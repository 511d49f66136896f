"""Points at the counter of the shop: sales, their refunds, and points that are claimed later."""
