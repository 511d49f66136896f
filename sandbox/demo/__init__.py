"""The products of the demo store, as data and pictures."""
