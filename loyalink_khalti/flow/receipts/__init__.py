"""What a customer sees of an order's money, points and course: one receipt for page, mail, print, PDF and JSON."""
