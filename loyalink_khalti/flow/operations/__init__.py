"""Run the shop: reconcile payments, audit every invariant, and report the health of the jobs."""
