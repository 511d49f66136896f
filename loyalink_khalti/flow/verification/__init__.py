"""From a payment at Khalti to an order: lease, look up, apply the answer."""
