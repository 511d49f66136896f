"""No actor moves points or money to their own account or order, whatever their permissions (M5)."""

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail

from loyalink_khalti import flow, outbox
from loyalink_khalti.errors import (
    CannotAdjust,
    CannotEraseData,
    CannotRecord,
    CannotRefund,
    CannotResolve,
    SelfDealing,
)
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.ports import Customer, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

REFUSED = "for your own account or order"


@pytest.fixture
def maya(db: None) -> User:
    """A superuser with an account in the shop."""
    return User.objects.create(username="maya", email="maya@example.com", is_staff=True, is_superuser=True)


@pytest.fixture
def ram(db: None) -> User:
    """Her colleague."""
    return User.objects.create(username="ram", email="ram@example.com", is_staff=True)


@pytest.fixture
def allowed(settings: Any, shop: FakeShop) -> None:
    """A shop of one person."""
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI, "ALLOW_SELF_DEALING": True, "ALERTS_TO": ["owner@example.com"],
    }  # fmt: skip


def account_of(member: User | str, points: int = 100) -> Account:
    member_id = member if isinstance(member, str) else str(member.pk)
    ledger.adjust(site_key="default", member_id=member_id, points=points, key=f"for {member_id}", reason="opening")
    return Account.objects.get(member_id=member_id)


def adjust(account: Account, by: User | str, key: str = "k") -> bool:
    actor = by if isinstance(by, str) else str(by.pk)
    return flow.adjust_points(account, 10, key=key, reason="goodwill", actor=actor, may_exceed_limit=True)


def merge(account: Account, into: Account, by: User) -> bool:
    return flow.merge_members(account, into=into, actor=str(by.pk), may_exceed_limit=True)


def paid(shop: FakeShop, khalti: Khalti, **cart: Any) -> Payment:
    payment = flow.begin_payment(shop.freeze(shop.cart(**cart)))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    return payment


def cash_order(shop: FakeShop, **cart: Any) -> Purchase:
    return flow.place_order(shop.freeze(shop.cart(**cart)), method=PaymentMethod.COD)


def refund(purchase: Purchase, by: User | str) -> Refund:
    actor = by if isinstance(by, str) else str(by.pk)
    return flow.refund_order(purchase, subtotal=Paisa(10_000), shipping=Paisa(0), key=f"by {actor}", actor=actor)


def guest(email: str) -> dict[str, Any]:
    return {"customer": Customer(name="Maya", email=email, phone="9800000001")}


def test_a_superuser_cannot_adjust_their_own_points_and_a_colleague_can(maya: User, ram: User) -> None:
    """M5: the permission to exceed the limit allowed it."""
    account = account_of(maya)

    with pytest.raises(SelfDealing, match=REFUSED):
        adjust(account, maya)

    account.refresh_from_db()
    assert account.available == 100
    assert adjust(account, ram)


@pytest.mark.parametrize("direction", ["into", "out of"])
def test_nobody_merges_with_their_own_account(maya: User, ram: User, direction: str) -> None:
    """M5: a customer with 1,200 points was merged into the editor's own account."""
    own, customer = account_of(maya), account_of("7", 1200)
    ending, staying = (customer, own) if direction == "into" else (own, customer)

    with pytest.raises(SelfDealing, match=REFUSED):
        merge(ending, staying, maya)

    assert list(Account.objects.order_by("pk").values_list("available", flat=True)) == [100, 1200]
    assert merge(ending, staying, ram)


def test_a_chain_of_merges_does_not_reach_the_actor(maya: User, ram: User) -> None:
    """M5: through a third account; what was merged with the actor's account counts as theirs, at every step."""
    own, third, victim = account_of(maya), account_of("8"), account_of("7", 1200)
    merge(third, own, ram)  # the third account was hers, a colleague says
    fourth = account_of("9")
    merge(fourth, victim, maya)

    with pytest.raises(SelfDealing):
        merge(victim, own, maya)
    with pytest.raises(SelfDealing):
        merge(own, victim, maya)
    merge(own, victim, ram)
    with pytest.raises(SelfDealing):  # her account has ended in this one
        adjust(victim, maya)

    assert adjust(victim, ram)


def test_an_account_of_the_same_mailbox_is_the_actors_too(maya: User, ram: User) -> None:
    """M5: a second account, registered as ``Maya+shop@``."""
    second = User.objects.create(username="second", email="Maya+shop@Example.com")
    account = account_of(second)

    with pytest.raises(SelfDealing):
        adjust(account, maya)

    assert adjust(account, ram)


def test_staff_do_not_unblock_their_own_account(maya: User, ram: User) -> None:
    """M5"""
    account = account_of(maya)
    ledger.set_blocked(site_key="default", member_id=str(maya.pk), blocked=True)

    with pytest.raises(SelfDealing):
        flow.set_blocked(account, blocked=False, actor=str(maya.pk))

    assert flow.set_blocked(account, blocked=False, actor=str(ram.pk))


def test_staff_do_not_erase_their_own_account_and_its_debt(maya: User, ram: User) -> None:
    """M31: nor could they record money for a guest's order of theirs that no longer says whose it is."""
    account_of(maya)
    subject = flow.member_subject(str(maya.pk))

    with pytest.raises(SelfDealing):
        flow.erase_personal_data(subject, actor=str(maya.pk))

    assert flow.erase_personal_data(subject, actor=str(ram.pk)).accounts == 1


def test_staff_do_not_refund_their_own_order(maya: User, ram: User, shop: FakeShop, khalti: Khalti) -> None:
    """M5"""
    payment = paid(shop, khalti, member_id=str(maya.pk))

    with pytest.raises(SelfDealing, match=REFUSED):
        refund(payment.purchase, maya)

    assert khalti.refunded == []
    assert refund(payment.purchase, ram).state == "done"


@pytest.mark.parametrize(
    "email", ["maya@example.com", " MAYA@Example.COM", "maya+gifts@example.com", "ｍaya@example.com"]
)
def test_a_guests_order_with_the_actors_address_is_the_actors(
    maya: User, ram: User, shop: FakeShop, khalti: Khalti, email: str
) -> None:
    """M5: guest orders count, also in other letters."""
    payment = paid(shop, khalti, **guest(email))

    with pytest.raises(SelfDealing):
        refund(payment.purchase, maya)

    assert refund(payment.purchase, ram).state == "done"


def test_a_guests_order_that_the_actor_has_claimed_is_theirs(maya: User, shop: FakeShop, khalti: Khalti) -> None:
    payment = paid(shop, khalti, **guest("other@example.com"))
    Purchase.objects.update(claimed_by=str(maya.pk))

    with pytest.raises(SelfDealing):
        refund(payment.purchase, maya)


def test_an_actor_whose_user_was_deleted_refunds_no_guest(maya: User, shop: FakeShop, khalti: Khalti) -> None:
    """M5: whose mailbox it was is unknown then, and a guard that cannot read refuses."""
    payment, actor = paid(shop, khalti, **guest("maya@example.com")), str(maya.pk)
    maya.delete()

    with pytest.raises(SelfDealing, match="no longer exists"):
        refund(payment.purchase, actor)


def test_a_deleted_user_is_still_known_by_their_account(maya: User) -> None:
    """M5"""
    account, actor = account_of(maya), str(maya.pk)
    maya.delete()

    with pytest.raises(SelfDealing, match=REFUSED):
        adjust(account, actor)


def test_staff_do_not_mark_their_own_order_as_received(maya: User, ram: User, shop: FakeShop) -> None:
    """M5"""
    purchase = cash_order(shop, member_id=str(maya.pk))

    with pytest.raises(SelfDealing, match=REFUSED):
        flow.mark_received(purchase, actor=str(maya.pk))

    purchase.refresh_from_db()
    assert (purchase.received_at, purchase.earned) == (None, 0)
    flow.mark_received(purchase, actor=str(ram.pk))


@pytest.mark.parametrize("resolution", ["accept", "refund"])
def test_staff_do_not_resolve_a_flag_of_their_own_payment(
    maya: User, ram: User, shop: FakeShop, khalti: Khalti, resolution: str
) -> None:
    """M5"""
    payment = flow.begin_payment(shop.freeze(shop.cart(member_id=str(maya.pk))))
    khalti.pay(payment.pidx, total_amount=1_000)
    flow.verify_payment(payment)
    flag = Flag.objects.get()

    with pytest.raises(SelfDealing, match=REFUSED):
        flow.resolve_flag(flag, flow.Resolution(resolution), actor=str(maya.pk), reason="It is fine.")

    flag.refresh_from_db()
    assert (flag.resolved_at, khalti.refunded) == (None, [])
    assert flow.resolve_flag(flag, flow.Resolution(resolution), actor=str(ram.pk), reason="Seen.").resolved_at


def test_staff_do_not_refund_their_own_payment_that_bought_nothing(maya: User, shop: FakeShop, khalti: Khalti) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart(member_id=str(maya.pk))))
    khalti.pay(payment.pidx, total_amount=1_000)
    flow.verify_payment(payment)

    with pytest.raises(SelfDealing):
        flow.refund_payment(payment, actor=str(maya.pk))

    assert khalti.refunded == []


def test_the_system_has_no_account_of_its_own(maya: User) -> None:
    account = account_of(maya)

    assert flow.adjust_points(account, 10, key="job", reason="correction", actor=None, may_exceed_limit=True)


def test_a_shop_of_one_person_allows_it_and_each_use_is_logged_and_mailed_once(
    maya: User, allowed: None, shop: FakeShop, khalti: Khalti, caplog: pytest.LogCaptureFixture
) -> None:
    """M5: ``ALLOW_SELF_DEALING``, off by default."""
    account, payment = account_of(maya), paid(shop, khalti, **guest("maya@example.com"))

    with caplog.at_level(logging.WARNING, "loyalink_khalti.flow.self_dealing"):
        adjust(account, maya)
        adjust(account, maya)  # a second click
        refund(payment.purchase, maya)
    outbox.deliver()

    mails = [message for message in mail.outbox if message.to == ["owner@example.com"]]
    assert [message.subject for message in mails] == [
        "maya did this for themselves: Adjust points", "maya did this for themselves: Refund",
    ]  # fmt: skip
    assert str(payment.purchase.number) in mails[1].body
    assert [record.getMessage() for record in caplog.records] == [
        f"user {maya.pk} did this for themselves: adjust, {maya.pk}",
        f"user {maya.pk} did this for themselves: refund, N-order-1",
    ]


@pytest.mark.usefixtures("no_mails_to_customers")
def test_a_action_of_a_colleague_is_not_mailed(maya: User, ram: User, allowed: None) -> None:
    adjust(account_of(maya), ram)
    outbox.deliver()

    assert mail.outbox == []


@pytest.mark.parametrize("value", ["False", "no", 1, None])
def test_only_true_allows_it(maya: User, allowed: None, settings: Any, value: object) -> None:
    """M5: A guard that cannot read its input refuses."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALLOW_SELF_DEALING": value}

    with pytest.raises(SelfDealing):
        adjust(account_of(maya), maya)


@pytest.mark.parametrize("kind", [CannotAdjust, CannotEraseData, CannotRecord, CannotRefund, CannotResolve])
def test_every_page_that_shows_a_refusal_shows_this_one(maya: User, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        flow.forbid_self_dealing(str(maya.pk), flow.StaffAction.RECORD_REFUND, members=[str(maya.pk)])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Maya@Example.com", "maya@example.com", True),
        ("maya+shop@example.com", "maya@example.com", True),
        ("m.a.y.a@gmail.com", "maya+x@GoogleMail.com", True),
        ("m.aya@example.com", "maya@example.com", False),
        ("maya@example.com", "maya@example.org", False),
        ("maya@example.com.", "maya@example.com", True),
        ("+tag@example.com", "+other@example.com", False),
        ("", "", False),
        ("maya", "maya", False),
    ],
)
def test_addresses_of_one_mailbox_are_one(one: str, other: str, same: bool) -> None:
    """M5"""
    assert (bool(flow.mailbox_of(one)) and flow.mailbox_of(one) == flow.mailbox_of(other)) is same


def test_the_question_of_a_page_changes_nothing(maya: User, ram: User, allowed: None, settings: Any) -> None:
    """The same rule, asked before the action: it is neither logged nor mailed."""
    members = [str(maya.pk)]
    while_allowed = flow.self_dealing_obstacle(str(maya.pk), members=members)
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALLOW_SELF_DEALING": False}

    assert REFUSED in flow.self_dealing_obstacle(str(maya.pk), members=members)
    assert (while_allowed, flow.self_dealing_obstacle(str(ram.pk), members=members)) == ("", "")
    assert not outbox.Message.objects.exists()
