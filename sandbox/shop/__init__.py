"""Oscar as this store wears it: deliveries, addresses, mails and the demo store's loader."""
