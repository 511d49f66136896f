"""How the flow commits: alone, and once more where the database gave way."""

import threading
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)

from loyalink_khalti import flow
from loyalink_khalti.errors import InsideTransaction, ShopCannot
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block, is_the_databases_own
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer and no server")


class Serialization(Exception):
    """As a driver would raise it."""

    sqlstate = "40001"


def caused(exc: Exception, cause: Exception) -> Exception:
    exc.__cause__ = cause
    return exc


@pytest.mark.parametrize(
    ("exc", "own"),
    [
        (OperationalError("server closed the connection"), True),
        (InterfaceError("connection already closed"), True),
        (caused(DatabaseError("could not serialize"), Serialization()), True),
        (DatabaseError("something else"), False),
        (IntegrityError("unique"), False),
        (DataError("too long"), False),
        (ProgrammingError("no such column"), False),
        (ShopCannot("sold_out"), False),
        (RuntimeError("a bug"), False),
    ],
)
def test_losing_the_database_is_not_the_shops_fault(exc: Exception, own: bool) -> None:
    """H10"""
    assert is_the_databases_own(exc) is own


@pytest.mark.parametrize("faults", [1, 2])
@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_a_block_is_tried_twice_and_no_more(faults: int, kind: type[Exception]) -> None:
    tried: list[int] = []

    def work() -> str:
        tried.append(len(tried))
        if len(tried) <= faults:
            raise kind("lost")
        return "done"

    if faults == 1:
        assert in_one_block(work) == "done"
    else:
        with pytest.raises(kind):
            in_one_block(work)
    assert tried == [0, 1]


def test_any_other_error_is_not_tried_again() -> None:
    tried: list[int] = []

    def work() -> None:
        tried.append(1)
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        in_one_block(work)
    assert tried == [1]


def test_a_verb_inside_a_transaction_is_told_what_to_do() -> None:
    forbid_transaction("begin")

    with transaction.atomic(), pytest.raises(InsideTransaction, match=r"flow\.begin.*non_atomic_requests"):
        forbid_transaction("begin")


@on_postgresql
def test_two_that_lock_in_opposite_order_both_end_well(shop: FakeShop) -> None:
    """H03: a deadlock of the host's own making."""
    shop.stock(pen=100, ink=100)
    together, met = threading.Barrier(2), set()

    def work(index: int) -> None:
        for sku in ("pen", "ink")[:: 1 if index else -1]:
            shop.stock(**{sku: shop.left(sku) - 1})
            if index not in met:
                met.add(index)
                together.wait(10)

    assert at_once(2, lambda index: in_one_block(lambda: work(index))) == [None, None]

    assert (shop.left("pen"), shop.left("ink")) == (98, 98)


@on_postgresql
def test_a_connection_that_the_server_ends_midway_costs_nothing(shop: FakeShop, khalti: Khalti) -> None:
    """H01: in the middle of ``confirm``."""
    payment = flow.begin(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)
    ended = iter([True])

    def end(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE fake_shop") and next(ended, False):
            return execute("SELECT pg_terminate_backend(pg_backend_pid())", None, *rest[1:])
        return execute(sql, *rest)

    with connection.execute_wrapper(end):
        outcome = flow.finish(payment)

    assert (outcome, shop.confirmed, next(ended, False)) == (Outcome.PAID, [("order-1", 250_000)], False)
    assert Payment.objects.get().state == "fulfilled"
