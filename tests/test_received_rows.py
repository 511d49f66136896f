"""Cash and transfers that were marked as received before there were rows for them get theirs when migrating."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from loyalink_khalti import flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.staff import permissions
from loyalink_khalti.testing import FakeShop
from tests.migrating import migrate, migrate_to_before
from tests.purchases import account, fake_shop, khalti_simulator, member, shop

__all__ = ["account", "fake_shop", "khalti_simulator", "member", "shop"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.sampled]


@pytest.fixture
def migrate_again() -> Callable[[], None]:
    """Return a function that runs the data migration once more, over whatever the tables contain."""

    def run() -> None:
        loader = MigrationExecutor(connection).loader
        (name,) = (
            each for app, each in loader.disk_migrations if app == "loyalink_khalti" and "received_money_rows" in each
        )
        migration = loader.disk_migrations["loyalink_khalti", name]
        apps: Any = loader.project_state(("loyalink_khalti", name)).apps
        with connection.schema_editor(atomic=connection.vendor == "postgresql") as editor:
            for operation in migration.operations:
                operation.code(apps, editor)

    return run


def test_every_order_that_was_marked_as_paid_has_its_row_and_the_audit_agrees(
    shop: FakeShop, account: Account, migrate_again: Callable[[], None]
) -> None:
    """M25, M25g: the meaning of existing rows."""
    cart = shop.cart(member_id=account.member_id, points_redeemed=Points(500))
    paid = flow.place_order(shop.freeze(cart), method=PaymentMethod.COD)
    unpaid = flow.place_order(shop.freeze(shop.cart("order-2")), method=PaymentMethod.COD)
    shop.record_received("order-1", received=paid.amount_due)  # type: ignore[arg-type]  # as a column it is an int
    late = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)  # already the 2nd in Nepal
    Purchase.objects.filter(pk=paid.pk).update(received_at=late, received_by="3")

    for _run in range(2):
        migrate_again()

    row = ReceivedMoney.objects.get()
    assert (row.purchase, row.amount, row.received_on, row.actor) == (paid, 245_000, date(2026, 11, 2), "3")
    paid.refresh_from_db()
    assert (paid.received, paid.received_part, paid.surplus) == (245_000, 245_000, 0)
    unpaid.refresh_from_db()
    assert unpaid.received == 0
    assert [each for each in flow.audit_violations() if each.invariant == "I19"] == []


def test_the_default_groups_get_the_permission_if_they_still_exist(
    django_user_model: Any, migrate_again: Callable[[], None]
) -> None:
    """M23."""
    from django.contrib.auth.models import Group

    Group.objects.filter(name=permissions.ACCOUNTANTS).delete()
    Group.objects.get(name=permissions.EDITORS).permissions.clear()

    migrate_again()

    user = django_user_model.objects.create_user("clerk", "clerk@example.com", "clerk-password")
    user.groups.set(Group.objects.filter(name__in=[permissions.EDITORS, permissions.ACCOUNTANTS]))
    assert user.get_all_permissions() == {permissions.RECORD_RECEIVED}


@pytest.mark.same_on_both
def test_its_table_can_be_removed_and_created_again() -> None:
    """M24d"""
    migrate_to_before("received_money")
    assert ReceivedMoney._meta.db_table not in connection.introspection.table_names()
    migrate()

    assert ReceivedMoney._meta.db_table in connection.introspection.table_names()
