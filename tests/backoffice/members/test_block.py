"""A member's account is blocked and unblocked with a reason, and each change is logged."""

import pytest

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from tests.backoffice.pages import page_text

from .conftest import SITE, MemberDesk, customer, logged_actions, member

pytestmark = pytest.mark.django_db(transaction=True)


def is_blocked(account: Account) -> bool:
    account.refresh_from_db()
    return account.blocked


def test_a_member_is_blocked_and_unblocked_with_a_reason(editor: MemberDesk, sita: Account) -> None:
    form = page_text(editor.member(sita, "block"))
    first = page_text(editor.submit(sita, "block", blocked="1", reason="doubt"))
    was_blocked = is_blocked(sita)
    second_form = page_text(editor.member(sita, "block"))
    second = page_text(editor.submit(sita, "block", blocked="0", reason="cleared"))

    assert "While an account is blocked, its points cannot be used" in form
    assert "The account is blocked" in first
    assert was_blocked
    assert "Unblock" in second_form
    assert "The account is unblocked: its points can be used again." in second
    assert not is_blocked(sita)
    assert logged_actions() == [("maya", "block", {"reason": "doubt"}), ("maya", "unblock", {"reason": "cleared"})]


def test_blocking_needs_a_reason(editor: MemberDesk, sita: Account) -> None:
    page = editor.submit(sita, "block", blocked="1", reason="")

    assert "This field is required" in page_text(page)
    assert (is_blocked(sita), logged_actions()) == (False, [])


def test_a_late_click_does_not_reverse_what_a_colleague_did(editor: MemberDesk, sita: Account) -> None:
    editor.submit(sita, "block", blocked="1", reason="doubt")

    page = editor.submit(sita, "block", blocked="1", reason="abuse")

    assert "Nothing was changed" in page_text(page)
    assert (is_blocked(sita), len(logged_actions())) == (True, 1)


def test_a_merged_or_erased_account_stays_blocked(admin: MemberDesk, sita: Account) -> None:
    ram = member(customer("Ram", "Shrestha"), 300)
    ledger.merge(site_key=SITE, member_id=str(sita.member_id), into=str(ram.member_id))

    merged = page_text(admin.submit(sita, "block", blocked="0", reason="other"))
    ledger.erase(site_key=SITE, member_id=str(sita.member_id))
    erased = page_text(admin.submit(sita, "block", blocked="0", reason="other"))

    assert ("merged into another" in merged, "erased" in erased) == (True, True)
    assert (is_blocked(sita), is_blocked(ram), logged_actions()) == (True, False, [])
