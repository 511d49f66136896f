"""The delivery methods that the checkout offers."""

from typing import Any

from oscar.apps.shipping.repository import Repository as OscarRepository

from .methods import Express, Pickup, Standard


class Repository(OscarRepository):
    methods: tuple[Any, ...] = (Standard(), Express(), Pickup())
