"""Return the tables to how they were before a migration, for tests of what it does to existing rows."""

from typing import Any

from django.core.management.sql import emit_post_migrate_signal
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

APP = "loyalink_khalti"
DEPENDENT = "loyalink_khalti_page"
"""An app of ours whose migrations depend on those of `APP`."""


class Executor(MigrationExecutor):
    """Migrates our app. Models on which it does not depend (Oscar's) are left out: to render them takes seconds."""

    def migration_plan(self, targets: Any, clean_start: bool = False) -> Any:
        return super().migration_plan(self.leaves() if clean_start else targets, clean_start)

    def leaves(self) -> list[tuple[str, str]]:
        """Return our newest migrations, of both apps."""
        return [*self.loader.graph.leaf_nodes(APP), *self.loader.graph.leaf_nodes(DEPENDENT)]


def migrate_to_before(name: str) -> Any:
    """Reverse the migration ``name`` (without its number) and all later ones; return the models of then."""
    executor = Executor(connection)
    (key,) = [key for key in executor.loader.disk_migrations if key[0] == APP and key[1].endswith(f"_{name}")]
    (parent,) = [node.key for node in executor.loader.graph.node_map[key].parents if node.key[0] == APP]
    executor.migrate([parent])
    return executor.loader.project_state(parent).apps


def migrate() -> None:
    """Apply all migrations, and do what ``manage.py migrate`` does after them."""
    executor = Executor(connection)
    executor.migrate(executor.leaves())
    emit_post_migrate_signal(0, False, connection.alias)
