"""Khalti payments and loyalty points for the checkout of a Django or Wagtail shop."""
