"""Loyalty points: accounts, lots and an append-only ledger.

``ledger`` is the public module. ``rules`` says what editors choose, ``earning`` what an order earns,
``redeemable`` what can be redeemed on it, ``posting`` how anything is written. Beside them there is a module for each
group of verbs.
"""
