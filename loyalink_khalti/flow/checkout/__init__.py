"""Before the money: quote a purchase, begin its payment at Khalti, or place an order that needs no Khalti."""
