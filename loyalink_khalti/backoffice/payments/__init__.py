"""Payments in Wagtail's admin: the list, the page of each payment, and what staff do about it.

Nothing is edited or deleted here: what staff do goes through the flow, under its locks and rules.
"""
