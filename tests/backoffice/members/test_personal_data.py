"""Personal data is exported as JSON, and erased after a typed confirmation."""

import json
from typing import Any

import pytest
from django.test import Client
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.backoffice.members.personal_data import EraseForm
from loyalink_khalti.loyalty import ledger, reports
from loyalink_khalti.loyalty.models import Account, EntryNote
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Customer, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.backoffice.pages import page_text
from tests.purchases import Khalti

from .conftest import SITE, MemberDesk, customer, logged_actions, member, url_of

pytestmark = pytest.mark.django_db(transaction=True)


# Export


def test_all_personal_data_is_exported_as_one_json_file(editor: MemberDesk, sita: Account, shop: FakeShop) -> None:
    flow.place_order(shop.freeze(shop.cart(member_id=sita.member_id)), method=PaymentMethod.COD)

    response = editor.client.get(url_of(sita, "export"))
    data = json.loads(b"".join(response.streaming_content))  # type: ignore[attr-defined]  # it streams

    assert response["Content-Disposition"] == f'attachment; filename="member-{sita.pk}.json"'
    assert data["email"] == "sita@example.com"
    assert data["points"][SITE]["balances"]["available"] == 1000
    assert [purchase["number"] for purchase in data["purchases"]] == ["N-order-1"]
    assert logged_actions() == [("maya", "export_member", {})]


def test_a_script_in_a_name_is_exported_as_text_that_no_browser_runs(
    editor: MemberDesk, sita: Account, shop: FakeShop
) -> None:
    buyer = Customer(name="<script>alert(1)</script>", email="=1+1@example.com")
    flow.place_order(shop.freeze(shop.cart(member_id=sita.member_id, customer=buyer)), method=PaymentMethod.COD)

    response = editor.client.get(url_of(sita, "export"))
    data = json.loads(b"".join(response.streaming_content))  # type: ignore[attr-defined]  # it streams

    assert data["purchases"][0]["name"] == "<script>alert(1)</script>"
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"


# Erase


def test_staff_do_not_erase_themselves(admin: MemberDesk) -> None:
    """M31"""
    own = member(admin.user, points=10)

    page = admin.client.post(url_of(own, "erase"), {"confirmation": admin.user.email})

    assert "This is for your own account or order. Ask a colleague to do it." in page_text(page)
    own.refresh_from_db()
    assert own.member_id == str(admin.user.pk)


def test_typing_the_e_mail_address_erases_the_personal_data(admin: MemberDesk, sita: Account, shop: FakeShop) -> None:
    ledger.adjust(site_key=SITE, member_id=str(sita.member_id), points=1, key="k", reason="x", note="was rude")
    flow.place_order(shop.freeze(shop.cart(member_id=sita.member_id)), method=PaymentMethod.COD)

    page = admin.submit(sita, "erase", confirmation="Sita@Example.com")

    assert "Erased member" in page_text(page)
    sita.refresh_from_db()
    assert (sita.member_id, sita.available) == (None, 0)
    assert not EntryNote.objects.exists()
    assert Purchase.objects.get().cart["customer"]["email"] == ""
    assert logged_actions() == [("hari", "erase_member", {"accounts": 1, "purchases": 1})]


def test_the_log_does_not_name_the_erased_member(admin: MemberDesk, sita: Account) -> None:
    form: dict[str, Any] = {"direction": "add", "points": 5, "reason": "other", "note": "Maharjan was rude"}
    admin.submit(sita, "adjust", **form, key="5a9f1a70-0000-4000-8000-000000000001", step="confirm")
    admin.submit(sita, "erase", confirmation="sita@example.com")

    page = admin.client.get("/admin/reports/site-history/").content.decode()

    assert ModelLogEntry.objects.filter(content_type__model="account").count() == 2
    assert "Erased personal data (1 account, 0 purchases): the points are written off" in page
    for name in ("Sita", "Maharjan", "sita@", "rude"):
        assert name not in page


@pytest.mark.parametrize("typed", ["", "ram@example.com", "Sita Maharjan", "7"])
def test_a_confirmation_that_does_not_match_is_invalid(typed: str) -> None:
    assert not EraseForm({"confirmation": typed}, name="sita@example.com").is_valid()


def test_without_the_right_confirmation_nothing_is_erased(admin: MemberDesk, sita: Account) -> None:
    page = admin.submit(sita, "erase", confirmation="ram@example.com")

    assert "This does not match sita@example.com." in page_text(page)
    sita.refresh_from_db()
    assert (sita.member_id is not None, logged_actions()) == (True, [])


def test_a_member_with_a_payment_in_progress_is_not_erased(
    admin: MemberDesk, sita: Account, pending_payment: Payment
) -> None:
    page = admin.submit(sita, "erase", confirmation="sita@example.com")

    assert "This is not possible yet:" in page_text(page)
    sita.refresh_from_db()
    assert (sita.member_id is not None, logged_actions()) == (True, [])


def test_an_erased_member_is_neither_erased_nor_exported_again(
    admin: MemberDesk, sita: Account, khalti: Khalti
) -> None:
    admin.submit(sita, "erase", confirmation="sita@example.com")

    again = page_text(admin.submit(sita, "erase", confirmation="sita@example.com"))
    export = page_text(admin.member_after(sita, "export"))

    assert "was already erased" in again
    assert "There is nothing to export." in export
    assert len(logged_actions()) == 1


def test_a_member_without_an_e_mail_address_is_confirmed_by_number(admin: MemberDesk, shop: FakeShop) -> None:
    user = customer("Nameless", email="")
    account = member(user)

    form = page_text(admin.member(account, "erase"))
    admin.submit(account, "erase", confirmation=str(user.pk))

    assert f"Type {user.pk} to confirm" in form
    account.refresh_from_db()
    assert account.member_id is None


def test_every_action_needs_a_csrf_token(admin: MemberDesk, sita: Account) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin.user, backend="django.contrib.auth.backends.ModelBackend")

    statuses = [
        browser.post(
            url_of(sita, action), {"confirmation": "sita@example.com", "blocked": "1", "reason": "doubt"}
        ).status_code
        for action in ("adjust", "block", "merge", "erase")
    ]

    assert statuses == [403] * 4
    sita.refresh_from_db()
    assert not sita.blocked


def test_the_form_shows_what_is_written_off_and_whose_account_opens_again(
    admin: MemberDesk, sita: Account, shop: FakeShop
) -> None:
    """M8, M8a"""
    ram = member(customer("Ram", "Shrestha"), 300)
    ledger.merge(site_key=SITE, member_id=str(ram.member_id), into=str(sita.member_id))

    form = page_text(admin.member(sita, "erase"))
    admin.submit(sita, "erase", confirmation="sita@example.com")

    assert "Points that are written off: 1,000. Owed points that are written off: 0." in form
    assert "Ram Shrestha was merged into this member." in form
    assert "what is left of the points that they brought: 300." in form
    ram.refresh_from_db()
    assert (ram.available, ram.has_ended) == (300, False)


def test_cash_that_arrives_after_the_erasure_earns_nothing_for_anybody(sita: Account, shop: FakeShop) -> None:
    """M8"""
    purchase = flow.place_order(shop.freeze(shop.cart(member_id=sita.member_id)), method=PaymentMethod.COD)
    flow.erase_personal_data(flow.member_subject(str(sita.member_id)))

    flow.mark_received(purchase, actor="1")

    assert list(Account.objects.values_list("member_id", "available")) == [(None, 0)]
    assert reports.liability().points == 0
    assert flow.audit()["ok"], flow.audit()["violations"]
