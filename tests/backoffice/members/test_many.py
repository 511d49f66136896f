"""With 100,000 members every search and filter of the list uses an index."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.testing import FakeShop

from .conftest import MemberDesk

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.money,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="query plans are PostgreSQL's"),
]

MANY = 100_000
RESULTS = "/admin/khalti/members/results/"
MAKE = """
INSERT INTO loyalink_khalti_account (program_id, member_id, available, pending, held, owed, lifetime_earned,
    lifetime_redeemed, merged_lifetime_earned, seq, tier, blocked, joined_at, last_activity_at, search_text)
SELECT {program}, n::text, CASE WHEN n % 200 = 0 THEN 0 ELSE 10 END, 0, 0, CASE WHEN n % 200 = 0 THEN 5 ELSE 0 END,
    10, 0, 0, 1, '', n % 500 = 0, now(), now(), 'u' || n || ' nepali maharjan' || n % 1000 || ' 98' || 41000000 + n
FROM generate_series(1, {many}) AS n;
INSERT INTO loyalink_khalti_lot (account_id, source, original, pending, remaining, available_at, expires_at)
SELECT id, 'many', 10, 0, 10, now(), now() + (id % 397) * interval '1 day' FROM loyalink_khalti_account;
ANALYZE;
"""


@pytest.fixture
def many(shop: FakeShop) -> int:
    """Members with one lot each; one in 200 owes points, one in 500 is blocked."""
    program = ledger.current_version("default").program
    with connection.cursor() as cursor:
        cursor.execute(MAKE.format(program=program.pk, many=MANY))
    return program.pk


@contextmanager
def query_plans() -> Iterator[list[str]]:
    """Collect PostgreSQL's plans of the queries that read accounts within the block."""
    plans: list[str] = []
    with CaptureQueriesContext(connection) as sent:
        yield plans
    statements = [query["sql"] for query in sent.captured_queries if 'FROM "loyalink_khalti_account"' in query["sql"]]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN {statement}")
            plans.append("\n".join(row[0] for row in cursor.fetchall()))


def test_search_and_filters_use_an_index_for_the_first_page(admin: MemberDesk, many: int) -> None:
    queries: list[dict[str, Any]] = [
        {}, {"q": "u77777"}, {"q": "maharjan7"}, {"q": "nepali"}, {"q": "9841012345"}, {"only": "owes"},
        {"only": "blocked"}, {"only": "expiring"}, {"only": ["owes", "expiring"]}, {"only": "expiring", "q": "nepali"},
    ]  # fmt: skip
    shown = {}

    for query in queries:
        with query_plans() as plans:
            page = admin.client.get(RESULTS, query)
        shown[str(query)] = len(page.context["table"].data)
        assert plans
        for plan in plans:
            assert not re.search(r"Seq Scan on loyalink_khalti_account", plan), f"{query}\n{plan}"

    assert shown == {str(query): 1 if query.get("q") in {"u77777", "9841012345"} else 20 for query in queries}
    assert Account.objects.count() == MANY
