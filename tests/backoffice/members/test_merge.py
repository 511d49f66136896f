"""A member is merged into another after a search and a preview, once, and is logged once."""

from collections.abc import Callable

import pytest

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.backoffice.pages import page_text

from .conftest import SITE, MemberDesk, customer, logged_actions, member, url_of

pytestmark = pytest.mark.django_db(transaction=True)

HELD = "Some points of this member are reserved for a pending payment. Merge the members when it is finished."


@pytest.fixture
def ram(shop: FakeShop) -> Account:
    """Ram, with 300 points."""
    return member(customer("Ram", "Shrestha"), 300)


def test_the_other_member_is_searched_for_and_the_merge_is_previewed(
    editor: MemberDesk, sita: Account, ram: Account
) -> None:
    found = editor.member(sita, "merge", q="shrestha")
    own_name = editor.member(sita, "merge", q="maharjan")
    preview = editor.member(sita, "merge", into=ram.pk)

    assert found.select_one(f"a[href='?into={ram.pk}']").get_text(strip=True) == "Ram Shrestha"
    assert "No members found." in page_text(own_name)
    assert "Available 1,000 300 1,300" in page_text(preview)
    sita.refresh_from_db()
    assert sita.successor is None


def test_debts_are_netted_in_the_preview_as_in_the_merge(
    editor: MemberDesk, sita: Account, owe: Callable[[Account, int], None]
) -> None:
    debtor = member(customer("Poor"))
    owe(debtor, 1200)

    preview = page_text(editor.member(sita, "merge", into=debtor.pk))
    editor.submit(sita, "merge", into=debtor.pk)

    assert "Available 1,000 0 0" in preview
    assert "Owed 0 1,200 200" in preview
    assert "Points that repay what is owed: 1,000." in preview
    debtor.refresh_from_db()
    assert (debtor.available, debtor.owed) == (0, 200)


def test_a_confirmed_merge_moves_all_points_and_is_logged_once(
    editor: MemberDesk, sita: Account, ram: Account
) -> None:
    page = editor.submit(sita, "merge", into=ram.pk)

    assert "Merged: Ram Shrestha now has all the points." in page_text(page)
    for account in (sita, ram):
        account.refresh_from_db()
    assert (sita.available, ram.available, sita.successor_id) == (0, 1300, ram.pk)
    assert logged_actions() == [
        ("maya", "merge", {"into": ram.pk, "points": 1000}),
    ]
    assert {entry.actor for entry in ram.entries.filter(kind="merge_in")} == {str(editor.user.pk)}


def test_a_second_click_on_merge_changes_and_logs_nothing(editor: MemberDesk, sita: Account, ram: Account) -> None:
    editor.submit(sita, "merge", into=ram.pk)

    page = editor.submit(sita, "merge", into=ram.pk)

    assert "already merged. Nothing was changed." in page_text(page)
    ram.refresh_from_db()
    assert (ram.available, len(logged_actions())) == (1300, 1)


def test_a_member_with_reserved_points_is_not_merged(
    editor: MemberDesk, sita: Account, ram: Account, pending_payment: Payment
) -> None:
    form = page_text(editor.member(sita, "merge", into=ram.pk))
    page = page_text(editor.submit(sita, "merge", into=ram.pk))

    assert HELD in form
    assert HELD in page
    sita.refresh_from_db()
    assert (sita.successor, logged_actions()) == (None, [])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("the same", "These are the same member."),
        ("merged", "merged into another"),
        ("erased", "erased"),
        ("of another site", "different sites"),
    ],
)
def test_a_member_who_cannot_keep_the_points_is_refused_with_a_reason(
    admin: MemberDesk, sita: Account, ram: Account, other: str, message: str
) -> None:
    gita = member(customer("Gita"))
    child = member(customer("Kid"), site_key="kids.example")
    ledger.merge(site_key=SITE, member_id=str(gita.member_id), into=str(ram.member_id))
    gone = member(customer("Gone"))
    ledger.erase(site_key=SITE, member_id=str(gone.member_id))
    into = {"the same": sita, "merged": gita, "erased": gone, "of another site": child}[other]

    page = admin.submit(sita, "merge", into=into.pk)

    assert message in page_text(page)
    sita.refresh_from_db()
    assert (sita.successor, logged_actions()) == (None, [])


@pytest.mark.parametrize(("into", "status"), [("", 200), ("x", 200), ("999999", 404), ("9" * 50, 404)])
def test_an_unknown_member_is_not_merged_into(editor: MemberDesk, sita: Account, into: str, status: int) -> None:
    assert editor.client.post(url_of(sita, "merge"), {"into": into}).status_code == status
