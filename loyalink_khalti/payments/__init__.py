"""The money: purchases, attempts to pay them at Khalti, and what staff must look at."""
