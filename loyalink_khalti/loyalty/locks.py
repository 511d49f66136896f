"""Lock an account and read it by one ``UPDATE … RETURNING``, with what is needed besides."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connection, transaction

from loyalink_khalti.clock import database_now, now_in_sql
from loyalink_khalti.errors import AccountMerged

from .accounts import open_account
from .models import Account, Hold
from .orders import RefundApplied
from .program import Program, ProgramVersion


def lock(account_id: int, *, follow_merge: bool = True, purchase: str = "") -> Account:
    """Lock an account and read it; if it was merged into another meanwhile, lock that one."""
    account = lock_where("id = %s", [account_id], purchase=purchase)
    if account is None:
        raise Account.DoesNotExist(f"no account {account_id}")
    if follow_merge and account.successor_id:
        return lock(account.successor_id, purchase=purchase)
    return account


def lock_account(site_key: str, member_id: str, *, purchase: str = "") -> Account:
    """Lock a member's own account; create it if there is none. Usually one statement.

    Raises ``AccountMerged`` where it was merged into another.
    """
    account = lock_own(site_key, member_id, purchase) or lock_new(site_key, member_id, purchase)
    if account.has_ended:
        raise AccountMerged("the account was merged into another one")
    return account


def lock_own(site_key: str, member_id: str, purchase: str) -> Account | None:
    """Lock a member's own account, ended or not; None where there is none."""
    of_site = f"(SELECT id FROM {Program._meta.db_table} WHERE site_key = %s AND active)"  # noqa: S608 - our names
    return lock_where(f"member_id = %s AND program_id = {of_site}", [member_id, site_key], purchase=purchase)


def lock_new(site_key: str, member_id: str, purchase: str) -> Account:
    """Open a member's account and lock it."""
    return lock(open_account(site_key, member_id).pk, follow_merge=False, purchase=purchase)


_TABLE = Account._meta.db_table
_FIELDS = Account._meta.concrete_fields
_ATTRIBUTES = [field.attname for field in _FIELDS]
_ROW = ", ".join(f'{_TABLE}."{field.column}"' for field in _FIELDS)
_BESIDE = f"""
    (SELECT version.id FROM {ProgramVersion._meta.db_table} version
     WHERE version.program_id = {_TABLE}.program_id ORDER BY version.number DESC LIMIT 1),
    (SELECT COUNT(*) FROM {Hold._meta.db_table} hold WHERE hold.purchase = %s),
    EXISTS (SELECT 1 FROM {RefundApplied._meta.db_table} refund WHERE refund.purchase = %s),
    EXISTS (SELECT 1 FROM {Program._meta.db_table} program
            WHERE program.id = {_TABLE}.program_id AND program.closed_until > (SELECT {{now}}))"""  # noqa: S608
"""What else is read of the account and of its purchase, whose lock the caller has: see ``Account``."""


def lock_where(condition: str, params: Sequence[Any], *, purchase: str = "") -> Account | None:
    """Lock the one account for which a condition, in SQL, is true, and read it; None where there is none.

    PostgreSQL checks the condition again after it has waited for the lock, but reads other tables as they were before.
    """
    now, now_params = now_in_sql()
    clock = "" if now_params else f", {now}"  # when the lock is there, not when the wait for it began
    beside = _BESIDE.format(now=now) + clock
    sql = f"UPDATE {_TABLE} SET last_activity_at = {now} WHERE {condition} RETURNING {_ROW}, {beside}"  # noqa: S608
    with transaction.mark_for_rollback_on_error(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(sql, [*now_params, *params, purchase, purchase, *now_params])
        rows = cursor.fetchall()
    return _read(list(rows[0])) if rows else None


def _read(row: list[Any]) -> Account:
    for index, column in _converted_columns(connection.vendor):
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection)):
            row[index] = convert(row[index], column, connection)
    account = Account.from_db(connection.alias, _ATTRIBUTES, row[: len(_FIELDS)])
    account.rules_id, account.earlier_holds, account.is_refunded, account.is_late, *clock = row[len(_FIELDS) :]
    account.read_at = clock[0] if clock else database_now()
    if account.sealed_seq < account.seq:  # the version before this one has written entries without a seal
        account.extend_seal()
    return account


@cache
def _converted_columns(_vendor: str) -> list[tuple[int, Any]]:
    """The columns, by their index, that this kind of database stores otherwise: SQLite its booleans and times."""
    columns = enumerate(field.get_col(_TABLE) for field in _FIELDS)
    return [
        (index, column)
        for index, column in columns
        if connection.ops.get_db_converters(column) or column.get_db_converters(connection)
    ]
