"""A guest makes an account of an order: by a mail to the order's address, and by nothing else."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core import mail
from django.db import transaction
from django.test import Client
from django.utils import timezone

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotClaim, InsideTransaction
from loyalink_khalti.flow import audit
from loyalink_khalti.flow.members import new_account
from loyalink_khalti.flow.members.order_links import CLAIM_PERIOD
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

EMAIL, PASSWORD = "sita@example.com", "himal-lokta-42"
LINK = re.compile(r"https?://[^/\s]+(/khalti/account/\S+/)")


@pytest.fixture(autouse=True)
def _guests_may_make_accounts(shop: FakeShop, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}
    settings.ROOT_URLCONF = "sandbox.urls"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    forget_mails()


@pytest.fixture
def paid(shop: FakeShop) -> Purchase:
    """A guest's order of Rs 2,500, paid: 250 points."""
    purchase = flow.place_order(shop.freeze(shop.cart()), method=PaymentMethod.COD)
    flow.mark_received(purchase, actor="1")
    purchase.refresh_from_db()
    return purchase


def forget_mails() -> None:
    """Forget who was mailed, and how often."""
    conf.ask_cache(lambda shared: shared.clear())


def path_of(purchase: Purchase) -> str:
    offer = flow.offer_account(purchase)
    assert offer is not None
    return offer.path


def users() -> list[str]:
    """The addresses of all accounts that a guest can have made; the shop has staff, too."""
    return list(get_user_model().objects.filter(is_staff=False).values_list("email", flat=True))


def the_user() -> Any:
    return get_user_model().objects.get(email=EMAIL)


def without_token(page: Any) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page.content.decode())


def mailed_path() -> str:
    """The path in the newest mail to the address that asks for a click."""
    found = LINK.search(str(account_mails()[-1].body))
    assert found
    return found[1]


def account_mails() -> list[Any]:
    """The mails that ask for a click, or say that there is an account; not the order's, which offers one."""
    return [each for each in mail.outbox if each.to == [EMAIL] and "account" in str(each.subject).lower()]


def existing(email: str = EMAIL) -> Any:
    return get_user_model().objects.create_user("sita", email, "old password of hers")


def test_a_guest_gets_an_account_with_the_order_and_its_points_by_a_click_in_a_mail(
    client: Client, paid: Purchase
) -> None:
    asked = client.post(path_of(paid), {"password": PASSWORD})
    before = (users(), "sita@example.com" in asked.content.decode(), "_auth_user_id" in client.session)

    shown = client.get(mailed_path()).content.decode()
    created = client.post(mailed_path())

    user = the_user()
    paid.refresh_from_db()
    account = ledger.find_account("default", str(user.pk))
    assert before == ([], False, False)  # nothing exists before the click, and the page names no address
    assert 'name="password"' not in shown  # it was chosen in this browser
    assert "250</strong> points are added" in created.content.decode()
    assert client.session["_auth_user_id"] == str(user.pk)
    assert (user.email, user.check_password(PASSWORD)) == (EMAIL, True)
    assert (paid.claimed_by, account and account.available) == (str(user.pk), 250)
    assert audit()["ok"], audit()["violations"]


def test_a_password_of_another_browser_is_never_that_of_the_account(client: Client, paid: Purchase) -> None:
    """T24: whoever types somebody's address at the checkout, and a password, cannot log in to what its owner makes."""
    client.post(path_of(paid), {"password": "the stranger's 42"})
    owner = Client()

    asked = owner.post(mailed_path())
    made = owner.post(mailed_path(), {"password": PASSWORD})

    user = the_user()
    assert (asked.status_code, made.status_code) == (400, 200)
    assert (user.check_password(PASSWORD), user.check_password("the stranger's 42")) == (True, False)
    assert "_auth_user_id" not in client.session


def test_an_existing_account_is_neither_shown_nor_changed(client: Client, paid: Purchase) -> None:
    """T24: the page is the same, to the letter; the mail alone says it, and leads to the log-in."""
    path = path_of(paid)
    asked_without = without_token(client.post(path, {"password": PASSWORD}))
    free = str(mail.outbox[-1].body)
    sita = existing("Sita@Example.com")
    hashed = sita.password
    forget_mails()

    asked_with = without_token(Client().post(path, {"password": PASSWORD}))
    clicked = client.post(LINK.search(free)[1])  # type: ignore[index]  # mailed before she had the account

    sita.refresh_from_db()
    paid.refresh_from_db()
    assert asked_with == asked_without
    assert "/khalti/claim/" in str(mail.outbox[-1].body)
    assert not LINK.search(str(mail.outbox[-1].body))
    assert (clicked.status_code, sita.password, users()) == (400, hashed, ["Sita@example.com"])
    assert (paid.claimed_by, "_auth_user_id" in client.session) == (None, False)


def test_the_link_of_the_order_mail_creates_nothing_by_itself(paid: Purchase) -> None:
    """T24"""
    token = path_of(paid).split("/")[-2]

    with pytest.raises(CannotClaim, match="open the link in the e-mail"):
        flow.create_account(token, password_hash=make_password(PASSWORD))

    assert users() == []


def test_a_link_works_once(client: Client, paid: Purchase) -> None:
    """T24"""
    client.post(path_of(paid), {"password": PASSWORD})
    link = mailed_path()
    client.post(link)

    again = Client().post(link, {"password": "another one 42"})

    assert (again.status_code, len(users())) == (400, 1)
    assert the_user().check_password(PASSWORD)
    assert flow.offer_account(Purchase.objects.get()) is None


def test_an_address_gets_one_mail_in_ten_minutes_and_five_in_a_day(paid: Purchase) -> None:
    """T24"""
    token = path_of(paid).split("/")[-2]
    sent = []

    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _attempt in range(8):
            flow.request_account_mail(token)
            flow.request_account_mail(token)
            sent.append(len(account_mails()))
            clock.shift(new_account.MAIL_INTERVAL + timedelta(seconds=1))

    assert sent == [1, 2, 3, 4, 5, 5, 5, 5]


def test_one_network_may_send_ten_passwords_in_a_minute(client: Client, paid: Purchase) -> None:
    answers = [client.post(path_of(paid), {"password": "x"}).status_code for _attempt in range(11)]

    assert answers == [400] * 10 + [429]


def test_a_password_that_the_shop_refuses_is_refused_with_the_reason_at_its_field(
    client: Client, paid: Purchase, settings: Any
) -> None:
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
        {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    ]

    short, similar = (client.post(path_of(paid), {"password": each}) for each in ("short", EMAIL))

    assert (short.status_code, similar.status_code, account_mails()) == (400, 400, [])
    html = short.content.decode()
    assert 'aria-describedby="lk-account-password-help lk-account-password-error"' in html
    assert "too similar to the" in similar.content.decode().lower()


def test_a_cash_order_is_attached_and_earns_when_its_money_arrives(client: Client, shop: FakeShop) -> None:
    purchase = flow.place_order(shop.freeze(shop.cart()), method=PaymentMethod.COD)
    client.post(path_of(purchase), {"password": PASSWORD})
    created = client.post(mailed_path()).content.decode()
    member_id = str(the_user().pk)
    before = ledger.find_account("default", member_id)

    flow.mark_received(purchase, actor="1")

    after = ledger.find_account("default", member_id)
    assert "as soon as your payment has arrived" in created
    assert ((before and before.available) or 0, after and after.available) == (0, 250)


def test_a_new_member_gets_the_signup_bonus_too(client: Client, paid: Purchase) -> None:
    ledger.set_rules("default", Rules(signup_bonus=Points(50)))
    client.post(path_of(paid), {"password": PASSWORD})

    client.post(mailed_path())

    account = ledger.find_account("default", str(the_user().pk))
    assert account is not None
    assert account.available == 300


def test_nothing_is_offered_to_members_after_thirty_days_or_where_it_is_switched_off(
    paid: Purchase, shop: FakeShop, settings: Any
) -> None:
    members = flow.place_order(
        shop.freeze(shop.cart("order-2", origin="basket-2", member_id="7")), method=PaymentMethod.COD
    )
    with time_machine.travel(timezone.now() + CLAIM_PERIOD):
        late = flow.offer_account(paid)
    chosen = settings.LOYALINK_KHALTI
    settings.LOYALINK_KHALTI = {**chosen, "CREATE_ACCOUNT": ""}
    no_accounts = (flow.offer_account(paid), flow.claim_path(paid) != "")
    settings.LOYALINK_KHALTI = {**chosen, "GUEST_CLAIMS": False}

    assert (flow.offer_account(members), late, no_accounts) == (None, None, (None, True))
    assert flow.offer_account_for(shop=paid.shop, ref=paid.ref) is None


def test_a_made_up_link_is_refused_and_counts_as_a_guess(client: Client, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "UNKNOWN_TOKENS_PER_MINUTE": 2}

    assert [client.get("/khalti/account/made-up/").status_code for _guess in range(3)] == [400, 400, 429]


def test_a_logged_in_customer_is_led_to_the_claim_and_makes_no_second_account(client: Client, paid: Purchase) -> None:
    client.force_login(existing("maya@example.com"), backend="django.contrib.auth.backends.ModelBackend")

    led, refused = client.get(path_of(paid)), client.post(path_of(paid), {"password": PASSWORD})

    assert led["Location"] == flow.claim_path(paid)
    assert (refused.status_code, account_mails()) == (400, [])


def test_two_orders_of_one_address_make_one_account(client: Client, shop: FakeShop, paid: Purchase) -> None:
    """T24"""
    other = flow.place_order(shop.freeze(shop.cart("order-2", origin="basket-2")), method=PaymentMethod.COD)
    links = []
    for purchase in (paid, other):
        forget_mails()
        client.post(path_of(purchase), {"password": PASSWORD})
        links.append(mailed_path())

    first, second = (Client().post(link, {"password": PASSWORD}) for link in links)

    assert (first.status_code, second.status_code, len(users())) == (200, 400, 1)
    assert "/khalti/claim/" in second.content.decode() or "Log in" in second.content.decode()


def test_inside_a_transaction_nothing_is_created(paid: Purchase) -> None:
    with pytest.raises(InsideTransaction), transaction.atomic():
        flow.create_account(path_of(paid).split("/")[-2], password_hash=make_password(PASSWORD))


def test_the_shops_own_function_makes_the_user(client: Client, paid: Purchase, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "CREATE_ACCOUNT": f"{__name__}.made_by_shop"}
    client.post(path_of(paid), {"password": PASSWORD})

    client.post(mailed_path())

    assert the_user().last_name == "of the shop"
    assert conf.get("CREATE_ACCOUNT").endswith("made_by_shop")


def made_by_shop(email: str, password_hash: str, name: str) -> Any:
    user = new_account.new_user(email, password_hash, name)
    user.last_name = "of the shop"
    user.save()
    return user
