"""Members are frozen, merged, taken along and erased: with a reason, a preview, a word typed; once, and logged."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, EntryNote
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Customer, Method
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

from .conftest import SITE, Desk, logged, member, person, url_of, words

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ram(shop: FakeShop) -> Account:
    """Ram, with 300 points."""
    return member(person("Ram", "Shrestha"), 300)


# Freeze


def frozen(account: Account) -> bool:
    account.refresh_from_db()
    return account.frozen


def test_a_member_is_frozen_and_freed_with_a_reason(editor: Desk, sita: Account) -> None:
    asked = words(editor.open(sita, "freeze"))
    first = words(editor.post(sita, "freeze", frozen="1", reason="doubt"))
    was_frozen = frozen(sita)
    asked_again = words(editor.open(sita, "freeze"))
    second = words(editor.post(sita, "freeze", frozen="0", reason="cleared"))

    assert "While they are frozen, no points can be spent" in asked
    assert "The points are frozen" in first
    assert was_frozen
    assert "Let points be spent again" in asked_again
    assert "The points can be spent again." in second
    assert not frozen(sita)
    assert logged() == [("maya", "freeze", {"reason": "doubt"}), ("maya", "unfreeze", {"reason": "cleared"})]


def test_without_a_reason_nobody_is_frozen(editor: Desk, sita: Account) -> None:
    page = editor.post(sita, "freeze", frozen="1", reason="")

    assert "This field is required" in words(page)
    assert (frozen(sita), logged()) == (False, [])


def test_a_late_click_does_not_undo_what_a_colleague_did(editor: Desk, sita: Account) -> None:
    editor.post(sita, "freeze", frozen="1", reason="doubt")

    page = editor.post(sita, "freeze", frozen="1", reason="abuse")

    assert "nothing was changed" in words(page)
    assert (frozen(sita), len(logged())) == (True, 1)


def test_who_was_merged_or_erased_stays_frozen(admin: Desk, sita: Account, ram: Account) -> None:
    ledger.merge(site_key=SITE, member_id=str(sita.member_id), into=str(ram.member_id))

    merged = words(admin.post(sita, "freeze", frozen="0", reason="other"))
    ledger.erase(site_key=SITE, member_id=str(sita.member_id))
    erased = words(admin.post(sita, "freeze", frozen="0", reason="other"))

    assert ("merged into another" in merged, "was erased" in erased) == (True, True)
    assert (frozen(sita), frozen(ram), logged()) == (True, False, [])


# Merge


def test_the_other_member_is_searched_for_and_what_would_move_is_shown(
    editor: Desk, sita: Account, ram: Account
) -> None:
    found = editor.open(sita, "merge", q="shrestha")
    nobody = editor.open(sita, "merge", q="maharjan")
    preview = editor.open(sita, "merge", into=ram.pk)

    assert found.select_one(f"a[href='?into={ram.pk}']").get_text(strip=True) == "Ram Shrestha"
    assert "No member is like that." in words(nobody)
    assert "Available 1,000 300 1,300" in words(preview)
    sita.refresh_from_db()
    assert sita.successor is None


def test_debts_are_netted_in_the_preview_as_they_will_be(
    editor: Desk, sita: Account, owing: Callable[[Account, int], None]
) -> None:
    poor = member(person("Poor"))
    owing(poor, 1200)

    said = words(editor.open(sita, "merge", into=poor.pk))
    editor.post(sita, "merge", into=poor.pk)

    assert "Available 1,000 0 0" in said
    assert "Owed 0 1,200 200" in said
    assert "1,000 points are set off against what is owed." in said
    poor.refresh_from_db()
    assert (poor.available, poor.owed) == (0, 200)


def test_confirmed_all_points_are_the_others_and_both_are_logged(editor: Desk, sita: Account, ram: Account) -> None:
    page = editor.post(sita, "merge", into=ram.pk)

    assert "all points are Ram Shrestha's now" in words(page)
    for account in (sita, ram):
        account.refresh_from_db()
    assert (sita.available, ram.available, sita.successor_id) == (0, 1300, ram.pk)
    assert logged() == [
        ("maya", "merge", {"into": ram.pk, "points": 1000}),
        ("maya", "merge", {"of": sita.pk, "points": 1000}),
    ]
    assert {entry.actor for entry in ram.entries.filter(kind="merge_in")} == {str(editor.user.pk)}


def test_a_second_click_on_merge_moves_and_logs_nothing(editor: Desk, sita: Account, ram: Account) -> None:
    editor.post(sita, "merge", into=ram.pk)

    page = editor.post(sita, "merge", into=ram.pk)

    assert "nothing moved twice" in words(page)
    ram.refresh_from_db()
    assert (ram.available, len(logged())) == (1300, 2)


def test_while_points_are_held_nobody_is_merged(editor: Desk, sita: Account, ram: Account, waiting: Payment) -> None:
    asked = words(editor.open(sita, "merge", into=ram.pk))
    page = words(editor.post(sita, "merge", into=ram.pk))

    assert "held for a payment that waits" in asked
    assert "held for a payment that waits" in page
    sita.refresh_from_db()
    assert (sita.successor, logged()) == (None, [])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("the same", "That is the same member."),
        ("merged", "was merged into another"),
        ("erased", "was erased"),
        ("of another site", "members of different sites"),
    ],
)
def test_who_cannot_take_over_is_told_in_words(
    admin: Desk, sita: Account, ram: Account, other: str, said: str
) -> None:
    gita = member(person("Gita"))
    kid = member(person("Kid"), site_key="kids.example")
    ledger.merge(site_key=SITE, member_id=str(gita.member_id), into=str(ram.member_id))
    gone = member(person("Gone"))
    ledger.erase(site_key=SITE, member_id=str(gone.member_id))
    into = {"the same": sita, "merged": gita, "erased": gone, "of another site": kid}[other]

    page = admin.post(sita, "merge", into=into.pk)

    assert said in words(page)
    sita.refresh_from_db()
    assert (sita.successor, logged()) == (None, [])


@pytest.mark.parametrize(("into", "status"), [("", 200), ("x", 200), ("999999", 404), ("9" * 50, 404)])
def test_who_is_nobody_is_merged_into_by_nobody(editor: Desk, sita: Account, into: str, status: int) -> None:
    assert editor.client.post(url_of(sita, "merge"), {"into": into}).status_code == status


# Export


def test_all_that_is_kept_is_taken_along_as_one_json_file(editor: Desk, sita: Account, shop: FakeShop) -> None:
    flow.place(shop.freeze(shop.cart(member_id=sita.member_id)), method=Method.COD)

    answer = editor.client.get(url_of(sita, "export"))
    told = json.loads(b"".join(answer.streaming_content))  # type: ignore[attr-defined]  # it streams

    assert answer["Content-Disposition"] == f'attachment; filename="member-{sita.pk}.json"'
    assert told["email"] == "sita@example.com"
    assert told["points"][SITE]["balances"]["available"] == 1000
    assert [purchase["number"] for purchase in told["purchases"]] == ["N-order-1"]
    assert logged() == [("maya", "export_member", {})]


def test_a_script_in_a_name_leaves_as_a_text_that_no_browser_runs(editor: Desk, sita: Account, shop: FakeShop) -> None:
    typed = Customer(name="<script>alert(1)</script>", email="=1+1@example.com")
    flow.place(shop.freeze(shop.cart(member_id=sita.member_id, customer=typed)), method=Method.COD)

    answer = editor.client.get(url_of(sita, "export"))
    told = json.loads(b"".join(answer.streaming_content))  # type: ignore[attr-defined]  # it streams

    assert told["purchases"][0]["name"] == "<script>alert(1)</script>"
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"


# Erase


def test_whose_e_mail_address_is_typed_is_forgotten(admin: Desk, sita: Account, shop: FakeShop) -> None:
    ledger.adjust(site_key=SITE, member_id=str(sita.member_id), points=1, key="k", reason="x", note="was rude")
    flow.place(shop.freeze(shop.cart(member_id=sita.member_id)), method=Method.COD)

    page = admin.post(sita, "erase", typed="Sita@Example.com")

    assert "Erased member" in words(page)
    sita.refresh_from_db()
    assert (sita.member_id, sita.available) == (None, 1001)
    assert not EntryNote.objects.exists()
    assert Purchase.objects.get().cart["customer"]["email"] == ""
    assert logged() == [("hari", "erase_member", {"accounts": 1, "purchases": 1})]


def test_nothing_in_the_log_names_whoever_was_erased(admin: Desk, sita: Account) -> None:
    form: dict[str, Any] = {"direction": "add", "points": 5, "reason": "other", "note": "Maharjan was rude"}
    admin.post(sita, "adjust", **form, key="5a9f1a70-0000-4000-8000-000000000001", step="confirm")
    admin.post(sita, "erase", typed="sita@example.com")

    page = admin.client.get("/admin/reports/site-history/").content.decode()

    assert ModelLogEntry.objects.filter(content_type__model="account").count() == 2
    assert "1 accounts and 0 purchases are nobody" in page
    for name in ("Sita", "Maharjan", "sita@", "rude"):
        assert name not in page


@pytest.mark.parametrize("typed", ["", "ram@example.com", "Sita Maharjan", "7"])
def test_whoever_types_something_else_erases_nobody(admin: Desk, sita: Account, typed: str) -> None:
    admin.post(sita, "erase", typed=typed)

    sita.refresh_from_db()
    assert (sita.member_id is not None, logged()) == (True, [])


def test_while_a_payment_is_under_way_nobody_is_erased(admin: Desk, sita: Account, waiting: Payment) -> None:
    page = admin.post(sita, "erase", typed="sita@example.com")

    assert "is still under way; try again when it is done. Nothing was changed." in words(page)
    sita.refresh_from_db()
    assert (sita.member_id is not None, logged()) == (True, [])


def test_who_was_erased_is_neither_erased_nor_taken_along_again(admin: Desk, sita: Account, khalti: Khalti) -> None:
    admin.post(sita, "erase", typed="sita@example.com")

    again = words(admin.post(sita, "erase", typed="sita@example.com"))
    export = words(admin.open_after(sita, "export"))

    assert "was erased before" in again
    assert "nothing is kept about them any more" in export
    assert len(logged()) == 1


def test_a_member_without_an_address_is_confirmed_by_number(admin: Desk, shop: FakeShop) -> None:
    user = person("Nameless", email="")
    account = member(user)

    asked = words(admin.open(account, "erase"))
    admin.post(account, "erase", typed=str(user.pk))

    assert f"Type {user.pk} to confirm" in asked
    account.refresh_from_db()
    assert account.member_id is None


def test_a_deed_needs_the_token_of_the_form(admin: Desk, sita: Account) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin.user, backend="django.contrib.auth.backends.ModelBackend")

    answers = [
        browser.post(url_of(sita, deed), {"typed": "sita@example.com", "frozen": "1", "reason": "doubt"}).status_code
        for deed in ("adjust", "freeze", "merge", "erase")
    ]

    assert answers == [403] * 4
    assert not frozen(sita)
