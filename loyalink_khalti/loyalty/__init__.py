"""Loyalty points: accounts, lots and an append-only ledger.

``ledger`` is the public module. ``rules`` says what editors choose and what an order can redeem, ``earning`` what it
earns, ``posting`` how an account is found and locked and anything is written. Beside them there is a module for each
group of verbs.
"""
