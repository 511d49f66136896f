"""What this package tells others, after commit and at least once. It never listens to them itself."""

from django.dispatch import Signal

points_expiring = Signal()
"""Points of a member expire soon: ``site_key``, ``member_id`` (the user's pk as text), ``points``, ``worth`` (paisa),
``last_day`` (a date: the last on which the first of them can be spent). Sent by ``loyalty_run``."""
