import pytest

from sandbox.settings import database


@pytest.mark.parametrize("url", ["sqlite:////tmp/store.sqlite3", "sqlite://:memory:"])
def test_any_sqlite_file_has_wal_and_full_synchronisation(url):
    options = database(url)["OPTIONS"]

    assert options["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in options["init_command"]
    assert "journal_mode=WAL" in options["init_command"]


def test_postgresql_is_reached_by_tcp_or_by_a_socket():
    tcp = database("postgresql://shop:secret@db.example:5433/store")
    socket = database("postgresql://postgres:@/store?host=/run/postgresql")

    assert (tcp["HOST"], tcp["PORT"], tcp["NAME"]) == ("db.example", 5433, "store")
    assert (socket["OPTIONS"]["host"], socket["NAME"], socket["USER"]) == ("/run/postgresql", "store", "postgres")
    assert socket["CONN_HEALTH_CHECKS"]


def test_staff_cannot_change_an_order_that_awaits_payment_or_is_cancelled(settings):
    assert settings.OSCAR_ORDER_STATUS_PIPELINE["Awaiting payment"] == ()
    assert settings.OSCAR_ORDER_STATUS_PIPELINE["Cancelled"] == ()
