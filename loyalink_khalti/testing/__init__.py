"""A pytest plugin for shops that plug in: fixtures, a shop for tests, and the contract that every shop keeps.

With the package installed pytest has these fixtures, without an import; a fixture of the same name in a project's own
tests takes their place::

    khalti            a simulated Khalti with its faults, and the project's settings pointed at it
    member            a user with 1,000 points
    fake_shop         a shop named "fake", for code that uses the flow without a shop of its own
    pidx              a payment of Rs 2,500 that the fake shop has begun; `khalti.pay(pidx)` pays it
    khalti_simulator  a simulated Khalti alone

To prove a shop, subclass ``ShopContract`` beside its tests. ``docs/hosts/own.md`` does that, step by step. The flow
commits by itself, so a test that calls it needs ``@pytest.mark.django_db(transaction=True)``, which ``pidx`` brings.

pytest imports this module in every project that has the package installed, also where Django is neither set up nor
used: what needs more than pytest is imported by the fixture that needs it.
"""

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from loyalink_khalti.contract import ShopContract, paid_for
    from loyalink_khalti.simulator import Simulator

    from .fake import FakeShop

__all__ = ["FakeShop", "ShopContract", "fake_shop", "khalti", "khalti_simulator", "member", "paid_for", "pidx"]

SECRET_KEY = "test_secret_key_00000000000000000000000000000000"  # noqa: S105 - the simulator accepts any
SITE_URL = "http://127.0.0.1:8000"
"""Where a project says of no address: Khalti accepts no "http://testserver". Django's test client ignores the host."""
POINTS = 1000
"""What the ``member`` has."""
_FOUND_IN = {
    "FakeShop": "loyalink_khalti.testing.fake",
    "ShopContract": "loyalink_khalti.contract",
    "paid_for": "loyalink_khalti.contract",
}
"""The names that need Django, imported when they are used first."""

pytest.register_assert_rewrite("loyalink_khalti.contract")  # a failure shows the values compared


def __getattr__(name: str) -> Any:
    if name not in _FOUND_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_FOUND_IN[name]), name)


@pytest.fixture
def khalti_simulator() -> "Iterator[Simulator]":
    """A simulated Khalti on a port of its own for the length of one test."""
    from loyalink_khalti.simulator import Simulator

    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def khalti(khalti_simulator: "Simulator", settings: Any) -> "Iterator[Simulator]":
    """A simulated Khalti that the project pays at: ``khalti.pay(pidx)``, ``khalti.fault("503", where="lookup")``."""
    from loyalink_khalti.khalti import circuit_breaker, close_connections

    configured = getattr(settings, "LOYALINK_KHALTI", {})
    settings.LOYALINK_KHALTI = {
        **configured,
        "KHALTI_BASE_URL": khalti_simulator.base_url,
        "KHALTI_SECRET_KEY": SECRET_KEY,
        "SITE_URL": configured.get("SITE_URL") or SITE_URL,
    }
    yield khalti_simulator
    close_connections()
    circuit_breaker.reset()


@pytest.fixture
def member(db: None, django_user_model: Any) -> Any:  # noqa: ARG001 - it needs the database
    """A user of the project with 1,000 points; ``str(member.pk)`` is the ``member_id`` of a Cart."""
    from loyalink_khalti import conf
    from loyalink_khalti.loyalty import ledger

    names = {django_user_model.USERNAME_FIELD, django_user_model.get_email_field_name()}
    user = django_user_model.objects.create_user(**dict.fromkeys(names, "sita@example.com"))
    member_id = str(user.pk)
    ledger.adjust(
        site_key=conf.site_key(), member_id=member_id, points=POINTS, key=f"test:{member_id}", reason="opening"
    )
    return user


@pytest.fixture
def fake_shop(db: None, settings: Any) -> "FakeShop":  # noqa: ARG001 - it needs the database
    """A shop named ``fake`` without purchases. Its data is in the test's database."""
    from loyalink_khalti import conf

    from .fake import FakeShop

    configured = getattr(settings, "LOYALINK_KHALTI", {})
    settings.LOYALINK_KHALTI = {
        **configured,
        "SHOPS": {**configured.get("SHOPS", {}), "fake": "loyalink_khalti.testing.FakeShop"},
    }
    shop = conf.shop("fake")
    assert isinstance(shop, FakeShop)
    shop.reset()
    return shop


@pytest.fixture
def pidx(transactional_db: None, fake_shop: "FakeShop", khalti: "Simulator") -> str:  # noqa: ARG001 - it commits
    """The pidx of a payment of Rs 2,500 that the fake shop has begun: nothing is paid yet."""
    from loyalink_khalti import flow

    return str(flow.begin_payment(fake_shop.freeze(fake_shop.cart())).pidx)
