"""Money back: refund an order or a payment, within limits, and apply it to the shop's order and the points."""
