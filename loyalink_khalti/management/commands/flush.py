"""Django's ``flush``, which empties every table; on SQLite it would meet the triggers of rows that are written once.

A test with ``transaction=True`` calls it at its end. PostgreSQL empties tables by TRUNCATE, which the triggers allow.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import flush
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        """Take the triggers away, let Django empty the tables, and create them again."""
        with _without_triggers(connections[options["database"]]):
            super().handle(**options)


@contextmanager
def _without_triggers(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Drop the triggers of this package on SQLite for a while."""
    triggers: dict[str, str] = {}
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'loyalink%'")
            triggers = dict(cursor.fetchall())
        for name in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for name, statement in triggers.items():
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")  # migrate has created some again meanwhile
                cursor.execute(statement)
