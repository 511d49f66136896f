"""Numbered system checks, each with a hint that mends it. ``docs/configuration.md`` lists them."""

from . import deployment, jobs, khalti, oscar, shop, sites

__all__ = ["deployment", "jobs", "khalti", "oscar", "shop", "sites"]
