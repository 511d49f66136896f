"""Points, stock and accounts between the click on "Pay" and the payment."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay, CannotRefund
from loyalink_khalti.flow import PointsDoNotFit, audit
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import KATHMANDU
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.ports import Outcome, Paid
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once, flags, points, states_of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _sound_in_the_end(shop: FakeShop) -> Iterator[None]:
    """After every test the audit finds nothing wrong."""
    yield
    report = audit()
    assert report["ok"], report["violations"]


def reconcile() -> None:
    for _ in flow.reconcile():
        pass


def begin(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(ref, **changes)))


@pytest.fixture
def short_lived(shop: FakeShop) -> Account:
    """A member with 500 points that expire tomorrow."""
    tomorrow = timezone.now() + timedelta(days=1)
    ledger.adjust(site_key="default", member_id="7", points=500, key="gift", reason="gift", expires_at=tomorrow)
    return Account.objects.get()


def test_held_points_are_redeemed_although_they_would_have_expired(
    shop: FakeShop, khalti: Khalti, short_lived: Account
) -> None:
    """E06: held points do not expire while the purchase is open."""
    payment = begin(shop, member_id="7", points_redeemed=Points(500))

    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert sum(swept.points for swept in ledger.sweep()) == 0
        khalti.pay(payment.pidx)
        outcome = flow.verify_payment(payment, ignore_back_off=True)

    assert (outcome, shop.confirmed) == (Outcome.PAID, [("order-1", 245_000)])
    assert points(short_lived) == (245, 0, 500)


def test_points_that_expired_during_an_unpaid_purchase_are_gone_after_its_release(
    shop: FakeShop, khalti: Khalti, short_lived: Account
) -> None:
    """E06, E07: once, and never below zero."""
    payment = begin(shop, member_id="7", points_redeemed=Points(500))
    khalti.says(payment.pidx, "Expired")

    with time_machine.travel(timezone.now() + timedelta(days=2)):
        flow.verify_payment(payment, ignore_back_off=True)
        swept = [sum(each.points for each in ledger.sweep()) for _ in range(2)]

    assert (swept, points(short_lived)) == ([500, 0], (0, 0, 0))


def test_points_that_expire_between_quote_and_click_are_refused(shop: FakeShop, khalti: Khalti) -> None:
    """E07: offered at 23:59:59, refused at 00:00:00, by quote and begin_payment alike."""
    midnight = (timezone.now().astimezone(KATHMANDU) + timedelta(days=1)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    ledger.adjust(site_key="default", member_id="7", points=500, key="gift", reason="gift", expires_at=midnight)
    shop.stock(pen=3)
    cart = shop.cart(member_id="7", points_redeemed=Points(500))
    purchase: dict[str, Any] = {
        "site_key": "default",
        "member_id": "7",
        "subtotal": cart.subtotal,
        "shipping": cart.shipping,
        "lines": cart.lines,
    }

    with time_machine.travel(midnight - timedelta(seconds=1), tick=False) as clock:
        offered = flow.quote(**purchase, points=Points(500)).redeemable
        clock.move_to(midnight)
        with pytest.raises(PointsDoNotFit):
            flow.quote(**purchase, points=Points(500))
        with pytest.raises(CannotPay, match="no longer have that many points"):
            flow.begin_payment(shop.freeze(cart))

    assert (offered, shop.left("pen"), Purchase.objects.count(), khalti.opened) == (500, 3, 0, [])


@pytest.mark.parametrize("number", [30, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_every_abandoned_purchase_is_released_once(
    number: int, shop: FakeShop, khalti: Khalti, account: Account, settings: Any
) -> None:
    """E08: only half of the links have expired at the first pass."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_MEMBER": 0}
    shop.stock(pen=number)
    ledger.adjust(site_key="default", member_id="7", points=100 * number - 1000, key="more", reason="test")
    payments = [begin(shop, f"order-{n}", member_id="7", points_redeemed=Points(100)) for n in range(number)]
    for payment in payments[::2]:
        khalti.says(payment.pidx, "Expired")

    with time_machine.travel(timezone.now() + timedelta(days=2)):
        reconcile()
        halfway = points(account), shop.left("pen")
        for payment in payments[1::2]:
            khalti.says(payment.pidx, "Expired")
        for _ in range(2):
            reconcile()

    assert halfway == ((50 * number, 50 * number, 0), number // 2)
    assert (points(account), shop.left("pen")) == ((100 * number, 0, 0), number)
    assert sorted(shop.released) == sorted((f"order-{n}", "expired") for n in range(number))
    assert Entry.objects.filter(kind="release").count() == number


def test_rules_that_change_during_payment_do_not_change_what_was_shown(
    payment: Payment, khalti: Khalti, account: Account
) -> None:
    """D05: the rules of the quote decide the points earned and the value of the points redeemed."""
    ledger.set_rules("default", Rules(points=Points(50), redeem_value=Paisa(1)))
    khalti.pay(payment.pidx)

    assert flow.verify_payment(payment) is Outcome.PAID

    assert points(account) == (745, 0, 500)


def test_a_refund_during_the_award_leaves_no_points(
    shop: FakeShop, khalti: Khalti, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F04: staff click on refund during the transaction that settles the payment."""
    payment = begin(shop, member_id=account.member_id)
    khalti.pay(payment.pidx)
    staff: list[threading.Thread] = []
    results: list[Any] = []

    def refund() -> Refund:
        purchase = Purchase.objects.get()
        return flow.refund_order(purchase, subtotal=Paisa(250_000), shipping=Paisa(0), key="one click", actor="1")

    confirm: Callable[..., str] = shop.confirm

    def confirm_and_click(ref: str, *, paid: Paid) -> str:
        number = confirm(ref, paid=paid)
        staff.append(threading.Thread(target=lambda: results.extend(at_once(1, lambda _: refund()))))
        staff[0].start()
        return number

    with monkeypatch.context() as patch:
        patch.setattr(shop, "confirm", confirm_and_click)
        outcome = flow.verify_payment(payment)
        staff[0].join()
    for each in results:
        if isinstance(each, CannotRefund):  # it ran before the order was placed
            refund()

    assert outcome is Outcome.PAID
    assert all(isinstance(each, Refund | CannotRefund) for each in results)
    assert (Refund.objects.get().state, len(khalti.refunded)) == ("done", 1)
    assert points(account) == (1000, 0, 0)  # everything was refunded, so nothing is earned


@pytest.mark.parametrize("deleted", [False, True])
def test_a_member_who_is_deleted_during_payment_still_gets_order_and_award(
    deleted: bool, shop: FakeShop, khalti: Khalti
) -> None:
    """J08: the points stay on the account of the deleted member, and no other member gets them."""
    user: Any = get_user_model().objects.create_user(username="sita", email="sita@example.com", password="x")
    member = str(user.pk)
    ledger.adjust(site_key="default", member_id=member, points=1000, key="opening", reason="opening")
    account = Account.objects.get()
    payment = begin(shop, member_id=member, points_redeemed=Points(500))
    if deleted:
        user.delete()
    else:
        get_user_model().objects.update(is_active=False)
    khalti.pay(payment.pidx)

    reconcile()
    newcomer: Any = get_user_model().objects.create_user(username="ram", email="sita@example.com", password="x")

    assert (states_of(payment), shop.confirmed) == (("fulfilled", "placed"), [("order-1", 245_000)])
    assert (points(account), account.member_id, flags()) == ((745, 0, 500), member, [])
    assert ledger.find_account("default", str(newcomer.pk)) is None
