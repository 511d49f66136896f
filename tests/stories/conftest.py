"""A running store for the stories of one module, and a clean database after it."""

from collections.abc import Callable, Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.purchases import account, fake_shop, khalti_simulator, member, no_call_in_a_transaction, shop, simulator
from tests.stories.running import Store, running

__all__ = ["account", "fake_shop", "khalti_simulator", "member", "no_call_in_a_transaction", "shop", "simulator"]


@pytest.fixture(scope="module")
def store(
    django_db_setup: Callable[[], None], django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    with django_db_blocker.unblock():
        with running(tmp_path_factory.mktemp("store")) as store:
            yield store
        django_db_setup()
