"""One statement writes and reads, on both databases."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.sql.compiler import SQLCompiler, SQLInsertCompiler, SQLUpdateCompiler
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.clock import DatabaseTime, clock_replaced, is_over
from loyalink_khalti.payments.job_runs import LastRun
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.returning import (
    Given,
    Select,
    Update,
    insert,
    insert_new,
    save_fields,
    update_returning,
    update_rows,
)
from tests.flow.conftest import payment
from tests.purchases import account, fake_shop, khalti, member, no_call_in_a_transaction, shop

__all__ = ["account", "fake_shop", "khalti", "member", "no_call_in_a_transaction", "payment", "shop"]

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 2, 25, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def frozen_time() -> Iterator[None]:
    with clock_replaced(lambda: NOW):
        yield


def row(payment: Payment) -> Any:
    return Payment.objects.filter(pk=payment.pk)


def test_an_update_returns_what_the_row_contains_then(payment: Payment, frozen_time: None) -> None:
    """N4"""
    values = {
        "lookup_count": F("lookup_count") + 1,
        "leased_until": DatabaseTime(HOUR),
        "lookup_history": ["ß"],
    }

    with CaptureQueriesContext(connection) as sent:
        found = update_returning(
            row(payment), values, "lookup_count", "leased_until", "lookup_history", "purchase", "purchase_id", "pidx"
        )

    assert len(sent) == 1
    purchase = payment.purchase_id
    assert found == [(1, NOW + HOUR, ["ß"], purchase, purchase, payment.pidx)]
    assert row(payment).values_list("lookup_count", "leased_until", "lookup_history").get() == found[0][:3]


def test_where_the_condition_does_not_hold_nothing_is_written_or_returned(payment: Payment) -> None:
    """N4"""
    free = is_over("leased_until", longest=HOUR) & ~Q(state="initiated")

    assert update_returning(row(payment).filter(free), {"lease": "mine"}, "lease") == []
    assert row(payment).get().lease == ""


def test_expressions_about_the_row_are_returned_with_it(payment: Payment, frozen_time: None) -> None:
    """N4"""
    is_flagged = Exists(Flag.objects.filter(payment=OuterRef("pk"), resolved_at=None))
    read = [is_flagged, DatabaseTime(-HOUR), F("amount") + 5]

    before = update_returning(row(payment), {"not_found": 1}, *read)
    Flag.objects.create(payment=payment, reason=FlagReason.LATE)
    after = update_returning(row(payment), {"not_found": 2}, *read)

    assert before == [(False, NOW - HOUR, payment.amount + 5)]
    assert after == [(True, NOW - HOUR, payment.amount + 5)]


def test_conditions_may_follow_other_tables(payment: Payment) -> None:
    """N4"""
    opened = Payment.objects.filter(purchase__state="open", purchase__ref=payment.purchase.ref)

    assert update_returning(opened, {"not_found": 7}, "id", "not_found") == [(payment.pk, 7)]
    assert update_returning(Payment.objects.filter(purchase__state="placed"), {"not_found": 8}, "not_found") == []


def test_rows_come_back_whole(payment: Payment) -> None:
    [found] = update_rows(row(payment).select_related("purchase"), {"state": "paid", "lease": "x"})

    assert (found.state, found.lease, found.pk) == ("paid", "x", payment.pk)
    stored = row(payment).get()
    assert {name: getattr(found, name) for name in vars(stored) if name != "_state"} == {
        name: value for name, value in vars(stored).items() if name != "_state"
    }


def test_of_a_statement_that_is_compiled_at_each_call_nothing_stays_in_memory(payment: Payment) -> None:
    def kept() -> int:
        gc.collect()
        return len(connections["default"].__dict__["loyalink_khalti_converters"])

    update_rows(row(payment), {"captured": 5})
    before = kept()
    for captured in range(3):
        update_rows(row(payment), {"captured": captured})

    assert kept() == before


@pytest.mark.parametrize("text", ["'; DROP TABLE x; --", '"', "%s", "%(a)s", "100 %"])
def test_values_are_never_part_of_the_sql(payment: Payment, text: str) -> None:
    found = update_returning(row(payment).exclude(return_to=text), {"return_to": text}, "return_to")

    assert found == [(text,)]
    assert row(payment).get().return_to == text


def test_names_that_are_no_fields_are_refused(payment: Payment) -> None:
    with pytest.raises(FieldDoesNotExist):
        update_returning(row(payment), {"no_field": 1}, "id")
    with pytest.raises(FieldDoesNotExist, match="1; DROP"):
        update_returning(row(payment), {"not_found": 1}, "1; DROP")
    with pytest.raises(TypeError, match="slice"):
        update_returning(row(payment)[:1], {"not_found": 1}, "id")

    assert row(payment).get().not_found == 0


def test_a_refused_update_breaks_the_transaction_like_any_other(payment: Payment) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        update_returning(row(payment), {"amount": -1}, "amount")
    assert row(payment).get().amount == payment.amount


def test_a_new_row_gets_its_key_and_one_that_exists_costs_no_savepoint() -> None:
    with transaction.atomic():
        with CaptureQueriesContext(connection) as sent:
            first, second = LastRun(name="job", at=NOW), LastRun(name="job", at=DatabaseTime())
            is_new = insert_new(first), insert_new(second)
        LastRun.objects.filter(name="job").update(at=NOW + HOUR)  # the transaction goes on

    assert is_new == (True, False)
    assert len(sent) == 2
    assert list(LastRun.objects.values_list("pk", "name", "at")) == [(first.pk, "job", NOW + HOUR)]
    assert second.pk is None


def test_other_constraints_than_the_unique_ones_still_refuse_a_new_row(payment: Payment) -> None:
    wrong = Purchase.objects.get(pk=payment.purchase_id)
    wrong.pk, wrong.ref, wrong.amount_due = None, "another", -1

    with pytest.raises(IntegrityError):
        insert_new(wrong)


@contextmanager
def no_query_is_built() -> Iterator[None]:
    """Inside, no queryset is compiled."""

    def compile_sql(*_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError("compiled again")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLCompiler, "as_sql", compile_sql)
        patch.setattr(SQLUpdateCompiler, "as_sql", compile_sql)
        patch.setattr(SQLInsertCompiler, "as_sql", compile_sql)
        yield


def test_a_queryset_that_is_compiled_once_reads_what_the_queryset_reads(payment: Payment) -> None:
    def build() -> Any:
        return Payment.objects.with_flags().select_related("purchase", "credentials").filter(pk=Given("pk"))

    select = Select(Payment, build)
    assert select.first(pk=-1) is None
    with CaptureQueriesContext(connection) as sent, no_query_is_built():
        found = select.first(pk=payment.pk)
        assert found is not None
        related = found.purchase, found.credentials, found.is_flagged

    expected = Payment.objects.with_flags().select_related("purchase", "credentials").get(pk=payment.pk)
    assert len(sent) == 1
    assert all_fields(found) == all_fields(expected)
    assert list(map(all_fields, related[:2])) == list(map(all_fields, (expected.purchase, expected.credentials)))
    assert related[2] is False
    assert (found.read_at or NOW) <= (expected.read_at or NOW)
    assert (found._state.adding, found.purchase._state.adding) == (False, False)


def all_fields(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_each_run_has_its_own_time_and_values(payment: Payment) -> None:
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=DatabaseTime())
    lease = Update(
        Payment,
        lambda: Payment.objects.filter(free, pk=Given("pk"), created_at__gt=Given("after")),
        {"lease": Given("lease"), "leased_until": DatabaseTime(Given("length")), "lookup_history": Given("history")},
        ["lease", "leased_until", "lookup_history", DatabaseTime()],
    )
    run = {"pk": payment.pk, "length": HOUR, "after": payment.created_at - HOUR}
    found = []
    for hours, name in ((0, "first"), (0.5, "too soon"), (2, "second")):
        with clock_replaced(lambda hours=hours: NOW + hours * HOUR):  # type: ignore[misc]
            found.append(lease.run(**run, lease=name, history=[name]))
            assert lease.run(**run | {"after": payment.created_at}, lease="none", history=[]) == []

    assert [list(map(list, rows)) for rows in found] == [
        [["first", NOW + HOUR, ["first"], NOW]],
        [],
        [["second", NOW + 3 * HOUR, ["second"], NOW + 2 * HOUR]],
    ]
    with clock_replaced(lambda: None), pytest.raises(TypeError, match="after cannot be compared with None"):
        lease.run(**run | {"after": None}, lease="none", history=[])


def test_rows_are_locked_inside_a_transaction_only(payment: Payment) -> None:
    locked = Select(Payment, lambda: Payment.objects.select_for_update(of=("self",)).filter(pk=Given("pk")))

    with transaction.atomic():
        assert locked.all(pk=payment.pk) == [payment]
    if connection.vendor == "postgresql":
        with pytest.raises(TransactionManagementError):
            locked.all(pk=payment.pk)


def test_fields_are_saved_by_a_statement_that_is_compiled_once(payment: Payment) -> None:
    def save(history: list[str], transaction_id: str | None) -> None:
        payment.lookup_history, payment.transaction_id, payment.paid_at, payment.amount = (
            history,
            transaction_id,
            NOW,
            1,
        )
        save_fields(payment, "lookup_history", "transaction_id", "paid_at", "purchase")

    save([], None)
    with CaptureQueriesContext(connection) as sent, no_query_is_built():
        save(["%s"], "T'1")

    stored = row(payment).get()
    assert len(sent) == 1
    assert (stored.lookup_history, stored.transaction_id, stored.paid_at) == (["%s"], "T'1", NOW)
    assert stored.amount != 1
    payment.pk = -1
    with pytest.raises(DatabaseError, match="is gone"):
        save_fields(payment, "paid_at")


def test_an_inserted_row_has_its_key_and_the_time_of_the_database(payment: Payment) -> None:
    def add(reason: FlagReason) -> Flag:
        flag = Flag(payment=payment, reason=reason, evidence={"a": [reason]}, raised_at=DatabaseTime(HOUR))
        insert(flag)
        return flag

    add(FlagReason.LATE)
    with clock_replaced(lambda: NOW):
        add(FlagReason.SOLD_OUT)
        with no_query_is_built():
            flag = add(FlagReason.HOST_FAILED)
        is_new = insert_new(Flag(payment=payment, reason=FlagReason.HOST_FAILED))

    stored = Flag.objects.get(pk=flag.pk)
    assert all_fields(stored) == all_fields(flag)
    assert (stored.raised_at, stored.evidence, is_new) == (NOW + HOUR, {"a": ["host_failed"]}, False)
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(Flag(payment=payment, reason=FlagReason.HOST_FAILED))
