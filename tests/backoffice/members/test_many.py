"""A hundred thousand members: every way into the list goes along an index."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.testing import FakeShop

from .conftest import Desk

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.money,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="plans are PostgreSQL's"),
]

MANY = 100_000
RESULTS = "/admin/khalti/members/results/"
MAKE = """
INSERT INTO loyalink_khalti_account (program_id, member_id, available, pending, held, owed, lifetime_earned,
    lifetime_redeemed, inherited, seq, tier, frozen, joined_at, touched_at, words)
SELECT {program}, n::text, CASE WHEN n % 200 = 0 THEN 0 ELSE 10 END, 0, 0, CASE WHEN n % 200 = 0 THEN 5 ELSE 0 END,
    10, 0, 0, 1, '', n % 500 = 0, now(), now(), 'u' || n || ' nepali maharjan' || n % 1000 || ' 98' || 41000000 + n
FROM generate_series(1, {many}) AS n;
INSERT INTO loyalink_khalti_lot (account_id, source, original, pending, remaining, available_at, expires_at)
SELECT id, 'many', 10, 0, 10, now(), now() + (id % 397) * interval '1 day' FROM loyalink_khalti_account;
ANALYZE;
"""


@pytest.fixture
def many(shop: FakeShop) -> int:
    """Members with a lot each; one in 200 owes points, one in 500 is frozen."""
    program = programmes.current("default").program
    with connection.cursor() as cursor:
        cursor.execute(MAKE.format(program=program.pk, many=MANY))
    return program.pk


@contextmanager
def plans() -> Iterator[list[str]]:
    """How PostgreSQL does what reads accounts meanwhile."""
    told: list[str] = []
    with CaptureQueriesContext(connection) as sent:
        yield told
    statements = [query["sql"] for query in sent.captured_queries if 'FROM "loyalink_khalti_account"' in query["sql"]]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN {statement}")
            told.append("\n".join(row[0] for row in cursor.fetchall()))


def test_search_and_filters_find_their_first_page_by_an_index(admin: Desk, many: int) -> None:
    ways: list[dict[str, Any]] = [
        {}, {"q": "u77777"}, {"q": "maharjan7"}, {"q": "nepali"}, {"q": "9841012345"}, {"only": "owes"},
        {"only": "frozen"}, {"only": "expiring"}, {"only": ["owes", "expiring"]}, {"only": "expiring", "q": "nepali"},
    ]  # fmt: skip
    shown = {}

    for query in ways:
        with plans() as told:
            page = admin.client.get(RESULTS, query)
        shown[str(query)] = len(page.context["table"].data)
        assert told
        for plan in told:
            assert not re.search(r"Seq Scan on loyalink_khalti_account", plan), f"{query}\n{plan}"

    assert shown == {str(query): 1 if query.get("q") in {"u77777", "9841012345"} else 20 for query in ways}
    assert Account.objects.count() == MANY
