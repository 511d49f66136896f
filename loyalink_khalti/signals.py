"""Signals for other apps, sent after commit and at least once. The package itself receives none of them.

Each is sent where an e-mail to the customer would be, whatever of the e-mails is switched off: a site sends text
messages by them, or mails of its own. A receiver that fails is logged, and the others are called all the same.

Those about an order have ``purchase``, the ``Purchase``: its ``number``, ``frozen_cart.customer`` (name, e-mail
address, phone), ``language``, and ``member_id`` (None for a guest). All have ``site_key``; those about points have
``member_id``, the user's primary key as text. Amounts are in paisa, points are whole numbers. ``docs/mails.md`` has an
example.
"""

from django.dispatch import Signal

# Orders

order_placed = Signal()
"""An order is placed, paid or not: ``purchase``."""
money_received = Signal()
"""Money has arrived for a placed order: ``purchase``, ``amount`` in paisa, ``method`` (a ``PaymentMethod``), and
``left_to_pay`` in paisa, 0 once all of it is there."""
payment_under_review = Signal()
"""Khalti has money for which no order is placed, and staff decide: ``purchase``, ``payment``, ``amount`` (paisa)."""
order_cancelled = Signal()
"""A placed order that was not paid is cancelled: ``purchase``."""
order_shipped = Signal()
"""A shop says that an order is on its way, or ready to be collected: ``purchase``."""
order_refunded = Signal()
"""Money or points went back: ``purchase``, ``refund`` (None where Khalti alone reports it), ``amount`` in paisa, below
0 where a recorded refund turns out not to have been made."""

# Points

points_earned = Signal()
"""``points`` were added to a member's account: ``source`` is "order", "sign_up", "claim", or "activated" where points
that were pending can be used now; ``purchase``, None where they are of none."""
points_redeemed = Signal()
"""``points`` were used for an order: ``points_value`` in paisa, ``purchase``."""
points_refunded = Signal()
"""A refund has returned ``points_restored`` that were used and reversed ``points_clawed_back`` that were earned:
``purchase``. Both are below 0 where the refund turns out not to have been made."""
points_adjusted = Signal()
"""Staff have added ``points``, or deducted them (below 0): ``reason``."""
tier_reached = Signal()
"""A member has moved up to ``tier``, its name."""
points_expiring = Signal()
"""Points of a member expire soon.

``site_key``; ``member_id``, the user's pk as text; ``points``; ``points_value`` in paisa; ``last_day``, the date on
which the first of them can be used for the last time. Sent by ``loyalty_run``.
"""
