"""Signals for other apps, sent after commit and at least once. The package itself receives none of them."""

from django.dispatch import Signal

points_expiring = Signal()
"""Points of a member expire soon.

``site_key``; ``member_id``, the user's pk as text; ``points``; ``points_value`` in paisa; ``last_day``, the date on
which the first of them can be used for the last time. Sent by ``loyalty_run``.
"""
