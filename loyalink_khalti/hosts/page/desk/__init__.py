"""The orders and the stock of pages that sell, in Wagtail's admin."""
