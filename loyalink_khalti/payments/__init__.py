"""The money: purchases, attempts to pay them at Khalti, and what staff must review."""
