"""How many modules of the package a maintainer opens who follows the reconciler."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.paths import traced
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)

MOST = 37


def test_the_reconciler_with_a_shop_of_ones_own_runs_through_at_most_37_modules(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    khalti.pay(payment.pidx)

    with traced("testing/") as modules:
        results = list(flow.reconcile())

    assert [result.label for result in results] == ["paid"]
    assert len(modules) <= MOST, f"{len(modules)} modules: {sorted(modules)}"
