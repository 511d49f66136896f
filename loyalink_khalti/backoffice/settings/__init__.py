"""Khalti's settings in Wagtail: the form with the secret key, its panels, and the check of a key."""
