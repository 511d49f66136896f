"""A shop that reads from a replica wherever it can: one without any tables, so that such a read fails loudly."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections, models, router

from loyalink_khalti import conf, databases
from loyalink_khalti.databases import Router

REPLICA = "replica"
READ_BY_THE_SHOP = {
    "auth",
    "sessions",
    "contenttypes",
    "sites",
    "address",
    "catalogue",
    "offer",
    "voucher",
    "shipping",
}
"""What the shop's own pages read here: a test has only one database with rows."""


class EmptyReplica:
    """A router of a shop that reads everything else from a replica."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return None if model._meta.app_label in READ_BY_THE_SHOP else REPLICA

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return "default"


@contextmanager
def alias_of_replica(**entry: str) -> Iterator[None]:
    """Have the replica, an SQLite file, in ``DATABASES``; nothing of it is left in this process at the end."""
    made = connections.configure_settings({"default": {}, REPLICA: {"ENGINE": "django.db.backends.sqlite3", **entry}})
    connections.settings[REPLICA] = made[REPLICA]
    routers, known = list(router.routers), set(databases._replicas)
    try:
        yield
    finally:
        router.routers[:] = routers
        databases._replicas.intersection_update(known)
        connections[REPLICA].close()
        del connections[REPLICA], connections.settings[REPLICA]


@pytest.fixture
def empty_replica(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the shop read from a database without a single table."""
    with alias_of_replica(NAME=":memory:"):
        monkeypatch.setattr(router, "routers", [Router(conf.shops), EmptyReplica()])
        yield
