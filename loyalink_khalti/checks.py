"""Numbered system checks, each with a hint that mends it."""
