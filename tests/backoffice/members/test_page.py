"""The page of one member shows balances, entries, reserved points and purchases, and nothing on it can be edited."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.backoffice import staff
from tests.backoffice.pages import page_text
from tests.purchases import Khalti

from .conftest import SITE, MemberDesk, customer, member, table, url_of

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


def balances(page: object) -> dict[str, str]:
    """Return the balances by their labels."""
    cells = page.select(".lk-balances > div")  # type: ignore[attr-defined]  # a BeautifulSoup
    return {page_text(cell.dt): page_text(cell.dd) for cell in cells}


def test_the_balances_are_those_of_the_account(editor: MemberDesk, sita: Account) -> None:
    Account.objects.update(pending=20, lifetime_earned=5000, merged_lifetime_earned=10, lifetime_redeemed=4000)

    page = editor.member(sita)

    assert balances(page) == {
        "Available": "1,000 worth Rs 100.00",
        "Pending": "20",
        "Reserved": "0",
        "Owed": "0",
        "Earned": "5,010",
        "Used": "4,000",
    }


def test_expired_points_are_not_available(editor: MemberDesk, sita: Account) -> None:
    with time_machine.travel(NOW, tick=False):
        Lot.objects.update(expires_at=NOW)

        assert balances(editor.member(sita))["Available"] == "0 worth Rs 0.00"


def test_the_header_names_the_member_and_the_progress_to_the_next_tier(editor: MemberDesk, sita: Account) -> None:
    Account.objects.update(lifetime_earned=400)

    text = page_text(editor.member(sita))

    assert "Sita Maharjan sita@example.com · Silver" in text
    assert "100 more points to Gold" in text


def test_lots_are_listed_in_the_order_in_which_they_are_used(editor: MemberDesk, sita: Account) -> None:
    Lot.objects.update(expires_at=None)
    for number, days in enumerate((40, 20)):
        ledger.adjust(
            site_key=SITE, member_id=str(sita.member_id), points=number + 1, key=str(number), reason="x",
            expires_at=datetime(2027, 5, 1, tzinfo=UTC) + timedelta(days=days),
        )  # fmt: skip
    ledger.set_rules(SITE, Rules(pending_days=5000, valid_months=None))
    ledger.award(
        site_key=SITE, member_id=str(sita.member_id), purchase="shop:1",
        order=ledger.OrderSnapshot(lines=(), shipping=Paisa(0), discount=Paisa(0), points_value=Paisa(0), at=NOW),
    )  # fmt: skip

    rows = table(editor.member(sita), "lots")

    assert [(row[0], row[2].split(",")[0]) for row in rows] == [
        ("2", "21 May 2027"),
        ("1", "10 June 2027"),
        ("1,000", "never"),
    ]


def test_reserved_points_show_their_payment(editor: MemberDesk, sita: Account, pending_payment: Payment) -> None:
    page = editor.member(sita)

    [row] = table(page, "holds")
    assert row[:2] == ["500", "order-1"]
    assert "Rs 2,450.00" in row[3]
    assert "Awaiting payment" in row[3]
    assert page.select_one(f"#holds-section a[href$='/payments/{pending_payment.pk}/']")
    assert page.select_one("#holds-section form button").get_text(strip=True) == "Check now"


def test_the_history_shows_points_reason_order_and_actor(editor: MemberDesk, sita: Account, shop: FakeShop) -> None:
    purchase = flow.place_order(shop.freeze(shop.cart(member_id=sita.member_id)), method=PaymentMethod.COD)
    flow.mark_received(purchase, actor=str(editor.user.pk))
    ledger.adjust(
        site_key=SITE, member_id=str(sita.member_id), points=-30, key="k", reason="complaint", note="was rude",
        actor=str(editor.user.pk),
    )  # fmt: skip

    page = editor.member(sita)

    taken, earned, opening = table(page, "history")
    assert taken[1:] == ["Adjusted: Complaint was rude", "−30", "", "Maya"]
    assert earned[1:4] == ["Earned", "+250", "N-order-1"]
    assert opening[1:] == ["Adjusted: Opening balance", "+1,000", "", ""]
    assert page.select_one("#history-section a[href='/fake/orders/order-1']")
    assert "N-order-1 Rs 2,500.00" in page_text(page.select_one("#purchases-section"))


def test_a_long_history_has_pages_and_takes_no_more_queries(editor: MemberDesk, sita: Account) -> None:
    def count_queries(**query: int) -> int:
        with CaptureQueriesContext(connection) as sent:
            editor.member(sita, **query)
        return len(sent)

    few = count_queries()
    Entry.objects.bulk_create(
        Entry(
            account=sita, seq=number, kind="adjust", src="adjusted", dst="available", amount=number, key=f"m{number}",
            actor=str(editor.user.pk),
        )
        for number in range(2, 122)
    )  # fmt: skip
    Account.objects.update(seq=121)

    first, last = table(editor.member(sita), "history"), table(editor.member(sita, p=3), "history")

    assert (len(first), first[0][2]) == (50, "+121")
    assert (len(last), last[-1][2]) == (21, "+1,000")
    assert count_queries(p=2) <= few + 1  # the actors' names


def test_nothing_on_the_page_can_be_edited_and_the_history_links_to_adjust(admin: MemberDesk, sita: Account) -> None:
    page = admin.member(sita)

    assert not page.select("main form")
    links = [link.get_text(strip=True) for link in page.select("#history-section a") if link.get_text(strip=True)]
    assert links == ["Adjust points"]
    assert "Correct a wrong entry with an adjustment." in page_text(page)


def test_an_action_without_permission_has_no_button(sita: Account, pending_payment: Payment) -> None:
    desk = MemberDesk(staff.staff_user("nima", "view_account"))

    page = desk.member(sita)

    text = page_text(page).replace("“Check now” gets the status", "")
    for action in ("Adjust points", "Block", "Merge", "Export", "Erase", "Check now"):
        assert action not in text
    assert not page.select(f"a[href*='/payments/{pending_payment.pk}/']")


def test_a_blocked_merged_or_erased_member_is_marked_as_such(admin: MemberDesk, sita: Account) -> None:
    ram = member(customer("Ram"))
    ledger.set_blocked(site_key=SITE, member_id=str(sita.member_id), blocked=True)
    blocked = page_text(admin.member(sita))
    ledger.merge(site_key=SITE, member_id=str(sita.member_id), into=str(ram.member_id))
    merged = admin.member(sita)
    ledger.erase(site_key=SITE, member_id=str(sita.member_id))
    erased = page_text(admin.member(sita))

    assert "Blocked: the points cannot be used" in blocked
    assert merged.select_one(f"main a[href='{url_of(ram)}']")
    assert "Adjust points" not in page_text(merged)
    assert "Erased member" in erased
    assert "The personal data of this member was erased" in erased
    assert "Sita" not in erased


def test_a_member_whose_user_is_deleted_has_a_number(admin: MemberDesk, shop: FakeShop) -> None:
    gone = customer("Gone")
    account = member(gone, 5)
    number = gone.pk
    gone.delete()

    assert f"Member {number}" in page_text(admin.member(account))


def test_markup_in_a_note_is_escaped(admin: MemberDesk, sita: Account) -> None:
    ledger.adjust(
        site_key=SITE, member_id=str(sita.member_id), points=1, key="k", reason="x", note="<script>alert(1)</script>"
    )

    page = admin.member(sita)

    assert "<script>alert(1)</script>" in page_text(page)
    assert not page.find("script", string="alert(1)")


def test_an_unknown_member_is_not_found(admin: MemberDesk, sita: Account) -> None:
    assert admin.client.get("/admin/khalti/members/999999/").status_code == 404


def test_orders_of_a_shop_that_was_removed_are_still_listed(
    admin: MemberDesk, sita: Account, shop: FakeShop, khalti: Khalti, settings: pytest.FixtureRequest
) -> None:
    flow.place_order(shop.freeze(shop.cart(member_id=sita.member_id)), method=PaymentMethod.COD)
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SHOPS": {}}  # type: ignore[attr-defined]

    assert "N-order-1" in page_text(admin.member(sita))


def test_owed_points_are_shown(admin: MemberDesk, shop: FakeShop, owe: Callable[[Account, int], None]) -> None:
    account = member(customer("Ram"))
    owe(account, 40)

    assert balances(admin.member(account))["Owed"] == "40"


def test_the_page_shows_the_history_and_the_purchases_of_merged_members_too(
    admin: MemberDesk, sita: Account, shop: FakeShop
) -> None:
    """M7"""
    gita = member(customer("Gita"), 10)
    flow.place_order(shop.freeze(shop.cart(member_id=gita.member_id)), method=PaymentMethod.COD)
    ledger.merge(site_key=SITE, member_id=str(gita.member_id), into=str(sita.member_id))

    kept, ended = admin.member(sita), admin.member(gita)

    signed = [row[2] for row in table(kept, "history")]
    assert sorted(signed) == sorted(["+10", "−10", "+10", "+1,000"])
    assert "N-order-1" in page_text(kept.select_one("#purchases-section"))
    assert sorted(row[2] for row in table(ended, "history")) == ["+10", "−10"]
