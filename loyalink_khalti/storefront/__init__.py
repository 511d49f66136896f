"""What shoppers see of a payment, whatever the shop: the way back from Khalti, the receipt, the bar while it waits."""
