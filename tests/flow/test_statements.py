"""How many statements a return costs the database: the package's own, what begins and ends transactions apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti import flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Cart, HostOrder, Outcome, Paid, Why
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

APART = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")


class SilentShop:
    """A shop that touches no database."""

    local = True

    def confirm(self, ref: str, *, paid: Paid) -> str:
        return f"N-{ref}"

    def release(self, ref: str, *, why: Why, present: bool) -> None: ...

    def look(self, ref: str) -> HostOrder:
        raise LookupError(ref)


@contextmanager
def counted() -> Iterator[list[str]]:
    sent: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield sent
    sent += [query["sql"] for query in captured.captured_queries if not query["sql"].startswith(APART)]


@pytest.fixture
def silent_shop(shop: FakeShop, settings: Any) -> Any:
    shops = {**settings.LOYALINK_KHALTI["SHOPS"], "silent": f"{__name__}.SilentShop"}
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SHOPS": shops}
    return shop


def begin(shop: FakeShop, **changes: Any) -> Payment:
    cart = shop.cart(**changes)
    return flow.begin(lambda: Cart(**{**_fields(cart), "shop": "silent"}))


def _fields(cart: Cart) -> dict[str, Any]:
    return {name: getattr(cart, name) for name in cart.__slots__}


@pytest.mark.parametrize(("points", "most"), [(0, 18), (500, 24)], ids=["without points", "with points spent"])
def test_the_first_return_of_a_paid_basket_is_a_bounded_number_of_statements_and_one_lookup(
    silent_shop: FakeShop, khalti: Khalti, account: Account, points: int, most: int
) -> None:
    payment = begin(silent_shop, member_id=account.member_id, spends=Points(points))
    khalti.pay(payment.pidx)

    with counted() as sent:
        outcome = flow.finish(payment, present=True)

    assert outcome is Outcome.PAID
    assert len(sent) <= most, sent
    assert khalti.asked == [payment.pidx]


def test_a_return_of_a_settled_payment_is_one_statement_no_write_and_no_lookup(
    silent_shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """A03"""
    payment = begin(silent_shop, member_id=account.member_id)
    khalti.pay(payment.pidx)
    flow.finish(payment)
    khalti.asked.clear()

    with counted() as sent:
        flow.finish(payment)

    assert (len(sent), khalti.asked) == (1, [])
    assert sent[0].startswith("SELECT")


def test_a_look_at_a_payment_that_nobody_has_paid_is_three_statements(silent_shop: FakeShop, khalti: Khalti) -> None:
    """G03: of 10,000 that wait, each costs little."""
    begin(silent_shop)
    round_ = flow.Pass()

    with counted() as sent:
        list(round_.looks())

    assert len(sent) == 3, sent
