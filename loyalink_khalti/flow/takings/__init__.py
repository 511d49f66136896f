"""The shop's own count of its money: daily closes."""
