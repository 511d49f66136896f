"""Whatever a test of a migration has done, the next test finds all migrations applied."""

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.migrating import migrate


@pytest.fixture(autouse=True)
def _migrated(transactional_db: None) -> Iterator[None]:
    yield
    if connection.vendor != "sqlite":  # there the whole file is replaced
        migrate()
