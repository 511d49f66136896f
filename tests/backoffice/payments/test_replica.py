"""Lists, exports and reports are read from a replica that is behind; what staff act on is not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.urls import reverse

from loyalink_khalti.payments.models import Payment
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk
from tests.purchases import Khalti
from tests.replicas import REPLICA, alias_of_replica

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", REPLICA])

PAYMENTS = "loyalink_khalti_payments"
OLD = "read from a replica"


@pytest.fixture(scope="module", autouse=True)
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The replica's file, in DATABASES before the tests of this module begin."""
    file = tmp_path_factory.mktemp("replica") / "replica.sqlite3"
    with alias_of_replica(NAME=str(file)):
        yield file


@pytest.fixture
def replica(file: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Return what makes the replica: a copy of the rows of this moment."""

    def copy() -> Path:
        connections[REPLICA].close()
        file.unlink(missing_ok=True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(file)])
        settings.LOYALINK_KHALTI = settings.LOYALINK_KHALTI | {"REPORTS_DATABASE": REPLICA}
        return file

    return copy


def test_the_list_its_export_and_the_report_are_as_old_as_the_replica_and_the_payment_is_as_it_is(
    desk: Desk, paid: Payment, begin: Callable[..., Payment], replica: Callable[[], Path]
) -> None:
    """N29"""
    replica()
    newer = begin("N-2002")

    shown = page_text(desk.open(PAYMENTS))
    csv = b"".join(desk.client.get(reverse(PAYMENTS), {"export": "csv"})).decode()
    report = page_text(desk.open("loyalink_khalti_report_settlement"))
    page = desk.page(newer)

    assert OLD in shown
    assert (paid.purchase.ref in shown, newer.purchase.ref in shown) == (True, False)
    assert (paid.purchase.ref in csv, newer.purchase.ref in csv) == (True, False)
    assert OLD in report
    assert newer.purchase.ref in page_text(page)
    assert OLD not in page_text(page)


def test_what_staff_are_to_review_is_current(
    desk: Desk, khalti: Khalti, replica: Callable[[], Path], request: pytest.FixtureRequest
) -> None:
    """N29"""
    replica()
    flagged: Payment = request.getfixturevalue("flagged")

    shown = page_text(desk.open("loyalink_khalti_report_review"))

    assert flagged.purchase.ref in shown
    assert OLD not in shown


@pytest.mark.parametrize(
    "damage", [lambda file: file.write_bytes(b"gone" * 500), Path.unlink], ids=["unreadable", "empty"]
)
def test_without_the_replica_the_page_is_current_and_says_so(
    desk: Desk, paid: Payment, replica: Callable[[], Path], damage: Callable[[Path], None]
) -> None:
    """N29"""
    damage(replica())

    shown = page_text(desk.open(PAYMENTS))

    assert paid.purchase.ref in shown
    assert "these figures are current" in shown
