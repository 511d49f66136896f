"""Return the tables to how they were before a migration, for tests of what it does to existing rows."""

from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

APP = "loyalink_khalti"


def migrate_to_before(name: str) -> Any:
    """Reverse the migration ``name`` (without its number) and all later ones; return the models of then."""
    executor = MigrationExecutor(connection)
    (key,) = [key for key in executor.loader.disk_migrations if key[0] == APP and key[1].endswith(f"_{name}")]
    (parent,) = [node.key for node in executor.loader.graph.node_map[key].parents if node.key[0] == APP]
    executor.migrate([parent])
    return MigrationExecutor(connection).loader.project_state(parent).apps


def migrate() -> None:
    """Apply all migrations."""
    call_command("migrate", verbosity=0)
