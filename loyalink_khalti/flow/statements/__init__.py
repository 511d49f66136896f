"""Statements of a bank or of Khalti: matched with our payments; a person decides what differs, and settles days."""
