"""The page of one member says all that is known of the points, and lets nobody type over any of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger, programmes
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Method
from loyalink_khalti.testing import FakeShop
from tests.backoffice import staff
from tests.purchases import Khalti

from .conftest import SITE, Desk, member, person, table, url_of, words

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


def sums(page: object) -> dict[str, str]:
    """The big numbers by their names."""
    cells = page.select(".lk-sums > div")  # type: ignore[attr-defined]  # a BeautifulSoup
    return {words(cell.dt): words(cell.dd) for cell in cells}


def test_the_big_numbers_are_what_the_account_holds(editor: Desk, sita: Account) -> None:
    Account.objects.update(pending=20, lifetime_earned=5000, inherited=10, lifetime_redeemed=4000)

    page = editor.open(sita)

    assert sums(page) == {
        "Available": "1,000 worth Rs 100.00",
        "Pending": "20",
        "On hold": "0",
        "Owed": "0",
        "Earned so far": "5,010",
        "Spent so far": "4,000",
    }


def test_points_that_have_expired_are_not_said_to_be_available(editor: Desk, sita: Account) -> None:
    with time_machine.travel(NOW, tick=False):
        Lot.objects.update(expires_at=NOW)

        assert sums(editor.open(sita))["Available"] == "0 worth Rs 0.00"


def test_who_it_is_and_the_way_to_the_next_level(editor: Desk, sita: Account) -> None:
    Account.objects.update(lifetime_earned=400)

    said = words(editor.open(sita))

    assert "Sita Maharjan sita@example.com · Silver" in said
    assert "100 more points to Gold" in said


def test_lots_stand_in_the_order_in_which_they_are_spent(editor: Desk, sita: Account) -> None:
    Lot.objects.update(expires_at=None)
    for number, days in enumerate((40, 20)):
        ledger.adjust(
            site_key=SITE, member_id=str(sita.member_id), points=number + 1, key=str(number), reason="x",
            expires_at=datetime(2027, 5, 1, tzinfo=UTC) + timedelta(days=days),
        )  # fmt: skip
    programmes.change(SITE, Rules(waiting_days=5000, valid_months=None))
    ledger.award(
        site_key=SITE, member_id=str(sita.member_id), purchase="shop:1",
        bought=ledger.Bought(lines=(), shipping=Paisa(0), discount=Paisa(0), worth=Paisa(0), at=NOW),
    )  # fmt: skip

    rows = table(editor.open(sita), "lots")

    assert [(row[0], row[2].split(",")[0]) for row in rows] == [
        ("2", "21 May 2027"),
        ("1", "10 June 2027"),
        ("1,000", "never"),
    ]


def test_a_hold_shows_the_payment_that_it_waits_for(editor: Desk, sita: Account, waiting: Payment) -> None:
    page = editor.open(sita)

    [row] = table(page, "holds")
    assert row[:2] == ["500", "order-1"]
    assert "Rs 2,450.00" in row[3]
    assert "Waiting for the shopper" in row[3]
    assert page.select_one(f"#holds-section a[href$='/payments/{waiting.pk}/']")
    assert page.select_one("#holds-section form button").get_text(strip=True) == "Check now"


def test_the_history_says_what_moved_why_for_which_order_and_by_whom(
    editor: Desk, sita: Account, shop: FakeShop
) -> None:
    purchase = flow.place(shop.freeze(shop.cart(member_id=sita.member_id)), method=Method.COD)
    flow.received(purchase, by=str(editor.user.pk))
    ledger.adjust(
        site_key=SITE, member_id=str(sita.member_id), points=-30, key="k", reason="complaint", note="was rude",
        actor=str(editor.user.pk),
    )  # fmt: skip

    page = editor.open(sita)

    taken, earned, opening = table(page, "history")
    assert taken[1:] == ["Adjusted: Complaint was rude", "−30", "", "Maya"]
    assert earned[1:4] == ["Earned", "+250", "N-order-1"]
    assert opening[1:] == ["Adjusted: Opening balance", "+1,000", "", ""]
    assert page.select_one("#history-section a[href='/fake/orders/order-1']")
    assert "N-order-1 Rs 2,500.00" in words(page.select_one("#purchases-section"))


def test_a_long_history_is_turned_page_by_page_and_costs_no_more(editor: Desk, sita: Account) -> None:
    def statements(**query: int) -> int:
        with CaptureQueriesContext(connection) as sent:
            editor.open(sita, **query)
        return len(sent)

    few = statements()
    Entry.objects.bulk_create(
        Entry(
            account=sita, seq=number, kind="adjust", src="adjusted", dst="available", amount=number, key=f"m{number}",
            actor=str(editor.user.pk),
        )
        for number in range(2, 122)
    )  # fmt: skip
    Account.objects.update(seq=121)

    first, last = table(editor.open(sita), "history"), table(editor.open(sita, p=3), "history")

    assert (len(first), first[0][2]) == (50, "+121")
    assert (len(last), last[-1][2]) == (21, "+1,000")
    assert statements(p=2) <= few + 1  # the actors' names


def test_nothing_on_the_page_edits_or_deletes_and_adjust_is_where_one_looks_for_it(admin: Desk, sita: Account) -> None:
    page = admin.open(sita)

    assert not page.select("main form")
    links = [link.get_text(strip=True) for link in page.select("#history-section a") if link.get_text(strip=True)]
    assert links == ["Adjust points"]
    assert "a wrong one is answered by another" in words(page)


def test_what_somebody_may_not_do_has_no_button(sita: Account, waiting: Payment) -> None:
    desk = Desk(staff.worker("nima", "view_account"))

    page = desk.open(sita)

    said = words(page)
    for deed in ("Adjust points", "Freeze", "Merge", "Export", "Erase", "Check now"):
        assert deed not in said.replace("“Check now” asks Khalti", "")
    assert not page.select(f"a[href*='/payments/{waiting.pk}/']")


def test_who_was_frozen_merged_or_erased_is_said_to_be_so(admin: Desk, sita: Account) -> None:
    ram = member(person("Ram"))
    ledger.freeze(site_key=SITE, member_id=str(sita.member_id), frozen=True)
    frozen = words(admin.open(sita))
    ledger.merge(site_key=SITE, member_id=str(sita.member_id), into=str(ram.member_id))
    merged = admin.open(sita)
    ledger.erase(site_key=SITE, member_id=str(sita.member_id))
    erased = words(admin.open(sita))

    assert "Frozen: no points can be spent" in frozen
    assert merged.select_one(f"main a[href='{url_of(ram)}']")
    assert "Adjust points" not in words(merged)
    assert "Erased member" in erased
    assert "This person was erased" in erased
    assert "Sita" not in erased


def test_a_member_whose_user_the_shop_knows_no_more_has_a_number(admin: Desk, shop: FakeShop) -> None:
    gone = person("Gone")
    account = member(gone, 5)
    number = gone.pk
    gone.delete()

    assert f"Member {number}" in words(admin.open(account))


def test_a_note_is_text(admin: Desk, sita: Account) -> None:
    ledger.adjust(
        site_key=SITE, member_id=str(sita.member_id), points=1, key="k", reason="x", note="<script>alert(1)</script>"
    )

    page = admin.open(sita)

    assert "<script>alert(1)</script>" in words(page)
    assert not page.find("script", string="alert(1)")


def test_whoever_is_not_there_has_no_page(admin: Desk, sita: Account) -> None:
    assert admin.client.get("/admin/khalti/members/999999/").status_code == 404


def test_after_a_shop_has_gone_its_orders_are_still_named(
    admin: Desk, sita: Account, shop: FakeShop, khalti: Khalti, settings: pytest.FixtureRequest
) -> None:
    flow.place(shop.freeze(shop.cart(member_id=sita.member_id)), method=Method.COD)
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SHOPS": {}}  # type: ignore[attr-defined]

    assert "N-order-1" in words(admin.open(sita))


def test_owed_points_are_told(admin: Desk, shop: FakeShop, owing: Callable[[Account, int], None]) -> None:
    account = member(person("Ram"))
    owing(account, 40)

    assert sums(admin.open(account))["Owed"] == "40"
