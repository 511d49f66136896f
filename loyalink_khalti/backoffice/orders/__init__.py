"""Orders in Wagtail's admin, however they are paid: the list, the page of each order, and what staff do about it.

Nothing is edited or deleted here: what staff do goes through the flow, under its locks and rules.
"""
