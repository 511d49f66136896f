"""A site that wraps every request in a transaction gets the same results: our views stay outside of it."""

from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from loyalink_khalti import flow
from loyalink_khalti.errors import InsideTransaction
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from sandbox.urls import urlpatterns as store
from tests.cutting import Clock, Way, audited, clock, in_every_way, sweep
from tests.loyalty.conftest import check_ledger
from tests.purchases import Khalti, khalti_simulator, simulator

__all__ = ["clock", "khalti_simulator", "simulator"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money, pytest.mark.on_both]


def undecorated(_request: HttpRequest, token: str) -> HttpResponse:
    """A view without the decorator that it needs."""
    return HttpResponse(flow.verify_payment(Payment.objects.get(token=token)))


urlpatterns = [path("undecorated/<str:token>/", undecorated), *store]


@pytest.fixture(autouse=True)
def _atomic_requests(shop: FakeShop, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ROOT_URLCONF = __name__
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


def begun(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(ref, **changes)))


def test_a_view_inside_a_transaction_gets_an_error_with_the_remedy(
    client: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """H07"""
    payment = begun(shop)

    with pytest.raises(InsideTransaction, match="non_atomic_requests"):
        client.get(f"/undecorated/{payment.token}/")

    assert khalti.looked_up == []


@pytest.mark.parametrize(("page", "asks"), [("return", 1), ("status", 1), ("pay", 0)])
def test_no_page_of_ours_calls_khalti_inside_a_transaction(
    client: Client, shop: FakeShop, khalti: Khalti, page: str, asks: int
) -> None:
    """H07: the fixture of all these tests refuses it."""
    payment = begun(shop)

    assert client.get(f"/khalti/{page}/{payment.token}/").status_code in {200, 302}
    assert khalti.looked_up == [payment.pidx] * asks


def test_cancel_calls_khalti_outside_a_transaction(
    client: Client, django_user_model: Any, shop: FakeShop, khalti: Khalti
) -> None:
    """H07"""
    sita = django_user_model.objects.create(email="sita@example.com")
    payment = begun(shop, member_id=str(sita.pk))
    client.force_login(sita)

    client.post(f"/khalti/cancel/{payment.token}/")

    assert (khalti.looked_up, shop.released) == ([payment.pidx], [("order-1", "cancelled_in_shop")])


@in_every_way(few=2)
def test_a_return_cut_off_anywhere_is_completed_once_by_the_next(
    way: Way, few: int | None, shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """H07: B01, B02, B03"""
    for number, cut_off in enumerate(sweep(way, few)):
        ref = f"order-{number:03}"
        payment = begun(shop, ref, member_id="7", points_redeemed=Points(100))
        simulator.pay(payment.pidx or "")
        back = f"/khalti/return/{payment.token}/"
        cut_off(lambda back=back: Client().get(back))
        clock.passes()

        assert Client().get(back)["Location"] == f"/fake/{ref}/paid/"

        assert shop.confirmed[number:] == [(ref, 249_000)]
        audited()
    check_ledger()
