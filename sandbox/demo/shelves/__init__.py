"""The products, a module for each shelf or two. Prices are in paisa: ``45_00`` is Rs 45."""
