"""Django system checks with numbers and hints. ``docs/configuration.md`` lists them; a host adds its own."""

from . import deployment, khalti, shops, sites

__all__ = ["deployment", "invoices", "khalti", "shops", "sites"]
