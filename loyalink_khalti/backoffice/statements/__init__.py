"""Statements: files of a bank or of Khalti, matched with payments; what differs, and settled days."""
