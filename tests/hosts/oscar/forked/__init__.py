"""An app of a shop that has forked Oscar's checkout and its dashboard of orders."""
