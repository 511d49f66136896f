"""The counter: points for sales in the shop itself, on the desk."""
