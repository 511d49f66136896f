"""How the flow commits: by itself, and once more after a database failure."""

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
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block, is_database_failure
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db(transaction=True)]

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer and no server")


class Serialization(Exception):
    """As a driver would raise it."""

    sqlstate = "40001"


def caused(exc: Exception, cause: Exception) -> Exception:
    exc.__cause__ = cause
    return exc


@pytest.mark.parametrize(
    ("exc", "is_failure"),
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
def test_a_database_failure_is_not_an_error_of_the_shop(exc: Exception, is_failure: bool) -> None:
    """H10"""
    assert is_database_failure(exc) is is_failure


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


def test_a_verb_inside_a_transaction_names_the_decorator_to_add() -> None:
    forbid_transaction("begin_payment")

    with transaction.atomic(), pytest.raises(InsideTransaction, match=r"flow\.begin_payment.*non_atomic_requests"):
        forbid_transaction("begin_payment")


@on_postgresql
def test_two_transactions_that_lock_in_opposite_order_both_succeed(shop: FakeShop) -> None:
    """H03: a deadlock caused by the host."""
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
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)
    ended = iter([True])

    def end(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE fake_shop") and next(ended, False):
            return execute("SELECT pg_terminate_backend(pg_backend_pid())", None, *rest[1:])
        return execute(sql, *rest)

    with connection.execute_wrapper(end):
        outcome = flow.verify_payment(payment)

    assert (outcome, shop.confirmed, next(ended, False)) == (Outcome.PAID, [("order-1", 250_000)], False)
    assert Payment.objects.get().state == "fulfilled"
