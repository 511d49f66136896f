"""The products, a module for one or two categories. Prices are in paisa: ``45_00`` is Rs 45."""
