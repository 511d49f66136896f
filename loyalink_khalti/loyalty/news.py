"""What the ledger tells the rooms above it, in the transaction in which it happens, so that a member can be told."""

from django.dispatch import Signal

tier_raised = Signal()
"""A locked account has moved up: ``account``, and ``tier``, the name of its new tier."""
points_activated = Signal()
"""Pending points of a locked account can be used now: ``account``, ``points``."""
