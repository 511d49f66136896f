"""The points: accounts, lots and an append-only ledger. ``ledger`` is the only door; ``rules`` only computes."""
