"""One action of staff is one entry in the site history, and none is for their own account (M5, M5a)."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.testing import FakeShop
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk, staff_user
from tests.purchases import Khalti, fake_shop, khalti, no_call_in_a_transaction
from tests.purchases import shop as shop_alone

__all__ = ["fake_shop", "khalti", "no_call_in_a_transaction", "shop_alone"]

pytestmark = pytest.mark.django_db(transaction=True)

OWN = "This is for your own account or order. Ask a colleague to do it."


@pytest.fixture
def shop(shop_alone: FakeShop, settings: Any) -> FakeShop:
    settings.ROOT_URLCONF = "sandbox.urls"
    return shop_alone


@pytest.fixture
def desk(shop: FakeShop) -> Desk:
    """A superuser."""
    return Desk(staff_user("maya", is_superuser=True))


@pytest.fixture
def sita(shop: FakeShop) -> Account:
    return member(User.objects.create(username="sita", email="sita@example.com"), 1000)


def member(user: User, points: int) -> Account:
    ledger.adjust(site_key="default", member_id=str(user.pk), points=points, key=f"for {user.pk}", reason="opening")
    return Account.objects.get(member_id=str(user.pk))


def adjustment(**fields: Any) -> dict[str, Any]:
    return {"direction": "add", "points": 5, "reason": "goodwill", "note": "", "key": str(uuid4()), **fields}


def url(account: Account, action: str) -> str:
    return reverse(f"loyalink_khalti_member_{action}", args=[account.pk])


def actions() -> list[str]:
    return list(ModelLogEntry.objects.order_by("pk").values_list("action", flat=True))


def paid(shop: FakeShop, khalti: Khalti, **cart: Any) -> Payment:
    payment = flow.begin_payment(shop.freeze(shop.cart(**cart)))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    return Payment.objects.get(pk=payment.pk)


def test_an_adjustment_a_block_and_a_merge_are_one_entry_each_however_often_they_are_sent(
    desk: Desk, sita: Account
) -> None:
    """M5, M5a: a merge had one entry for each of the two members."""
    ram = member(User.objects.create(username="ram", email="ram@example.com"), 300)
    form = adjustment(step="confirm")
    for _click in range(2):
        desk.client.post(url(sita, "adjust"), form)
        desk.client.post(url(sita, "block"), {"reason": "doubt", "blocked": "1"})
        desk.client.post(url(ram, "merge"), {"into": sita.pk})

    assert sorted(actions()) == ["loyalink_khalti.adjust", "loyalink_khalti.block", "loyalink_khalti.merge"]


def test_a_refund_and_a_resolved_flag_are_one_entry_each(desk: Desk, shop: FakeShop, khalti: Khalti) -> None:
    """M5a"""
    payment = paid(shop, khalti)
    refund = {"amount": "10", "key": "one", "seen_refund": "0", "confirm": "1"}
    other = flow.begin_payment(shop.freeze(shop.cart("order-2")))
    khalti.pay(other.pidx, total_amount=100_000)
    flow.verify_payment(other)
    flag = Flag.objects.get()
    for _click in range(2):
        desk.client.post(reverse("loyalink_khalti_payment_refund", args=[payment.pk]), refund)
        answer = {"resolution": "refund", "reason": "Too little.", "confirm": "1", "seen": ""}
        page = desk.client.get(reverse("loyalink_khalti_flag_resolve", args=[flag.pk]))
        seen = page.context["form"]["seen"].value() if page.status_code == 200 and page.context else ""
        desk.client.post(reverse("loyalink_khalti_flag_resolve", args=[flag.pk]), answer | {"seen": seen})

    assert sorted(actions()) == ["loyalink_khalti.refund", "loyalink_khalti.resolve"]


@pytest.mark.parametrize(
    ("action", "form"),
    [
        ("adjust", adjustment(step="preview")),
        ("adjust", adjustment(step="confirm")),
        ("block", {"reason": "doubt", "blocked": "1"}),
        ("merge", {}),
    ],
    ids=["preview", "adjust", "block", "merge"],
)
def test_a_superuser_reads_why_nothing_is_done_for_their_own_account(
    desk: Desk, sita: Account, action: str, form: dict[str, Any]
) -> None:
    """M5: on every page of the desk."""
    own = member(desk.user, 100)
    response = desk.client.post(url(own, action), form or {"into": sita.pk}, follow=True)

    assert OWN in response.content.decode().replace("&#x27;", "'")
    own.refresh_from_db()
    assert (own.available, own.blocked, own.successor, actions()) == (100, False, None, [])


def test_a_merge_into_ones_own_account_is_refused_before_the_preview(desk: Desk, sita: Account) -> None:
    own = member(desk.user, 100)

    page = desk.client.get(url(sita, "merge"), {"into": own.pk})

    assert OWN in page.content.decode()


def test_the_refund_of_ones_own_order_is_refused(desk: Desk, shop: FakeShop, khalti: Khalti) -> None:
    payment = paid(shop, khalti, member_id=str(desk.user.pk))
    form = {"amount": "10", "key": "one", "seen_refund": "0", "confirm": "1"}

    page = desk.post("loyalink_khalti_payment_refund", payment.pk, **form)

    assert OWN in page_text(page)
    assert (khalti.refunded, actions()) == ([], [])


@pytest.mark.parametrize("action", ["adjust", "merge"])
def test_a_permission_that_is_removed_before_the_form_is_sent_is_missed(
    shop: FakeShop, sita: Account, action: str
) -> None:
    """M5: the permissions are those of the moment at which the form arrives."""
    ram = member(User.objects.create(username="ram", email="ram@example.com"), 300)
    codename = {"adjust": "adjust_account", "merge": "change_account"}[action]
    desk = Desk(staff_user("nima", "view_account", codename))
    shown = desk.client.get(url(sita, action)).status_code
    desk.user.user_permissions.remove(Permission.objects.get(codename=codename))
    form = {"adjust": adjustment(step="confirm"), "merge": {"into": ram.pk}}[action]

    assert (shown, desk.client.post(url(sita, action), form).status_code) == (200, 403)
    sita.refresh_from_db()
    assert (sita.available, sita.successor, actions()) == (1000, None, [])
