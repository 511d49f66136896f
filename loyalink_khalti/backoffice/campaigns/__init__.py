"""Campaigns: more points for a limited time. Each campaign of a site is a row, copied into the rules of the site."""
