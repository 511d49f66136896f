"""What the ledger reports to the rooms above it, in the transaction in which it happens, for notices to members."""

from django.dispatch import Signal

tier_raised = Signal()
"""A locked account has moved up: ``account``, and ``tier``, the name of its new tier."""
points_activated = Signal()
"""Pending points of a locked account can be used now: ``account``, ``points``."""
