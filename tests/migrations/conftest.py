"""Rows as an earlier version of the code has written them, and the migrations that change them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

APP = "loyalink_khalti"


@pytest.fixture
def before(transactional_db: None) -> Iterator[Callable[[str], Any]]:
    """Return to the state before a migration, and return the models that the code had then."""

    def state(name: str) -> Any:
        executor = MigrationExecutor(connection)
        parents = executor.loader.graph.node_map[(APP, name)].parents
        (parent,) = [node.key for node in parents if node.key[0] == APP]
        executor.migrate([parent])
        return MigrationExecutor(connection).loader.project_state(parent).apps

    yield state
    call_command("migrate", verbosity=0)


@pytest.fixture
def migrate() -> Callable[[], None]:
    """Apply all migrations."""
    return lambda: call_command("migrate", verbosity=0)
