"""A running store for the stories of one module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.purchases import account, fake_shop, khalti_simulator, member, no_call_in_a_transaction, shop, simulator
from tests.stories.running_store import Store, running_store

__all__ = ["account", "fake_shop", "khalti_simulator", "member", "no_call_in_a_transaction", "shop", "simulator"]


@pytest.fixture(scope="module")
def store(
    demo_store: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """The demo store, started with the options in the constant ``SERVER`` of the module, where it has one."""
    options = getattr(request.module, "SERVER", {})
    with running_store(tmp_path_factory.mktemp("store"), demo_store, **options) as store:
        yield store
