"""The pytest plugin, as a shop that has installed the package meets it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop, fake_shop, khalti, khalti_simulator, member, pidx

__all__ = ["fake_shop", "khalti", "khalti_simulator", "member", "pidx"]

ROOT = Path(__file__).parent.parent
OTHER_PROJECT = """
import sys
import pytest

@pytest.fixture
def member():
    return "a fixture of this project"

def test_the_plugin_has_imported_nothing_of_django(member):
    assert member == "a fixture of this project"
    assert "loyalink_khalti.testing" in sys.modules
    assert {"django", "wagtail", "requests", "loyalink_khalti.ports"} & set(sys.modules) == set()
"""


def pytest_elsewhere(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as in a project without Django, with this plugin alone."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST"))}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", "loyalink_khalti.testing", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_a_project_without_django_does_not_notice_the_plugin(tmp_path: Path) -> None:
    """H10b"""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "test_other.py").write_text(OTHER_PROJECT)

    ran = pytest_elsewhere(tmp_path, "-q")
    asked = pytest_elsewhere(tmp_path, "--help")

    assert (ran.returncode, asked.returncode) == (0, 0), ran.stdout + asked.stdout + asked.stderr
    assert "1 passed" in ran.stdout


def test_a_name_that_the_plugin_has_not_is_an_attribute_error() -> None:
    """H10b"""
    import loyalink_khalti.testing as plugin

    assert not hasattr(plugin, "pytest_plugins")
    assert {getattr(plugin, name) for name in plugin.__all__}


@pytest.mark.django_db(transaction=True)
def test_the_fixtures_are_a_purchase_from_khalti_to_the_order(
    fake_shop: FakeShop, khalti: Simulator, pidx: str, member: Any
) -> None:
    """H10b"""
    payment = Payment.objects.get(pidx=pidx)
    khalti.fault("503", where="lookup")

    khalti.pay(pidx)
    Client().get(khalti.return_urls(pidx)[0], follow=True)
    during_the_fault = list(fake_shop.confirmed)
    flow.verify_payment(payment, ignore_back_off=True)

    assert during_the_fault == []
    assert fake_shop.confirmed == [("order-1", Paisa(250_000))]
    account = ledger.find_account("default", str(member.pk))
    assert account is not None
    assert account.available == 1000
