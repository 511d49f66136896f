"""Which deliveries the checkout offers."""

from oscar.apps.shipping.repository import Repository as OscarRepository

from .methods import Express, Pickup, Standard


class Repository(OscarRepository):  # type: ignore[misc]  # Oscar is untyped
    methods = (Standard(), Express(), Pickup())
