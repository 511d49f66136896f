"""Statements that are compiled once do what Django's own do, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.clock import DatabaseTime, clock_replaced, is_over
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.prepared import Insert, Param, Select, Update
from tests.flow.conftest import payment
from tests.purchases import account, at_once, fake_shop, khalti, member, no_call_in_a_transaction, shop

__all__ = ["account", "fake_shop", "khalti", "member", "no_call_in_a_transaction", "payment", "shop"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 2, 25, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

LOAD = Select(lambda: Payment.objects.with_flags().select_related("purchase", "credentials").filter(pk=Param("pk")))
LEASE = Update(
    lambda: Payment.objects.filter(is_over("leased_until", longest=MINUTE), pk=Param("pk")),
    {
        "lease": Param("lease"),
        "leased_until": DatabaseTime(Param("seconds")),
        "expires_at": Param("expires_at", Payment._meta.get_field("expires_at")),
    },
    returning=["lease", "leased_until", "expires_at", "lookup_history", "state"],
)
INSERT = Insert(Purchase, created_at=DatabaseTime())


def fields(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.__dict__.items() if name not in ("_state", "read_at")}


def test_a_query_returns_the_same_row_with_its_annotations_and_related_rows(payment: Payment) -> None:
    own = Payment.objects.with_flags().select_related("purchase", "credentials").get(pk=payment.pk)

    for _ in range(2):  # compiled, and kept
        with CaptureQueriesContext(connection) as sent:
            found = LOAD.first(pk=payment.pk)
            related = found.purchase, found.credentials

        assert len(sent) == 1
        assert fields(found) == fields(own)
        assert [fields(each) for each in related] == [fields(own.purchase), fields(own.credentials)]
        assert found.is_flagged is False
        assert found.read_at >= payment.created_at


def test_a_query_of_values_returns_tuples_and_none_where_nothing_is_found(payment: Payment) -> None:
    values = Select(lambda: Payment.objects.filter(token=Param("token")).values_list("pk", "created_at"))

    assert values.all(token=payment.token) == [(payment.pk, payment.created_at)]
    assert (values.first(token="x"), values.all(token="x")) == (None, [])


def test_the_time_is_that_of_each_call_and_not_of_the_first_one(payment: Payment) -> None:
    times = []
    for now in (NOW, NOW + 2 * MINUTE):
        with clock_replaced(lambda now=now: now):  # type: ignore[misc]
            [row] = LEASE.run(pk=payment.pk, lease="a", seconds=MINUTE, expires_at=None)
        times.append(row[1])
    [row] = LEASE.run(pk=payment.pk, lease="b", seconds=-MINUTE, expires_at=NOW)  # of the database itself

    assert times == [NOW + MINUTE, NOW + 3 * MINUTE]
    assert row == ("b", row[1], NOW, [], "initiated")
    assert row[1] > NOW + 10 * MINUTE
    assert fields(Payment.objects.get(pk=payment.pk))["leased_until"] == row[1]


def test_an_update_of_no_row_returns_none(payment: Payment) -> None:
    LEASE.run(pk=payment.pk, lease="first", seconds=MINUTE / 2, expires_at=None)

    assert LEASE.run(pk=payment.pk, lease="second", seconds=MINUTE, expires_at=None) == []


def test_an_inserted_row_has_its_key_and_what_the_database_has_computed(payment: Payment) -> None:
    row = Purchase.objects.get(pk=payment.purchase_id)
    row.pk, row.ref, row.created_at, row.cart = None, "other", None, {"a": [1, "ß"]}  # type: ignore[assignment]

    INSERT.run(row)

    assert fields(Purchase.objects.get(ref="other")) == fields(row)
    assert row.created_at >= payment.created_at
    row.save()  # an UPDATE: the row knows that it exists
    with pytest.raises(IntegrityError), transaction.atomic():
        INSERT.run(row)


def test_what_was_compiled_in_one_thread_serves_all_of_them_and_holds_no_connection(payment: Payment) -> None:
    found = at_once(4, lambda _index: LOAD.first(pk=payment.pk).purchase.ref)

    assert found == [payment.purchase.ref] * 4


def test_a_locking_query_is_compiled_outside_a_transaction_and_locks_inside_one(payment: Payment) -> None:
    locking = Select(lambda: Purchase.objects.select_for_update(of=("self",)).filter(pk=Param("pk")))
    locking._text()

    with transaction.atomic(), CaptureQueriesContext(connection) as sent:
        assert locking.first(pk=payment.purchase_id) == payment.purchase

    assert ("FOR UPDATE" in sent[0]["sql"]) == (connection.vendor == "postgresql")
