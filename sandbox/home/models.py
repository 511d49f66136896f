"""The Wagtail pages of the store."""
