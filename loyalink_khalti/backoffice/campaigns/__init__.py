"""Campaigns: more points for a time. A row each, written into the rules of its site as long as it is not over."""
