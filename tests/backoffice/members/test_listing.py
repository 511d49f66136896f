"""The list of members is searched, filtered and exported, with a bounded number of queries."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook
from wagtail.models import Site

from loyalink_khalti import conf, flow
from loyalink_khalti.flow.members.directory import index_members
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.loyalty.program import Program
from loyalink_khalti.ports import Customer, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.backoffice import staff

from .conftest import MemberDesk, customer, member

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sampled]

LIST = "/admin/khalti/members/"
MAX_QUERIES = 13


def names(browser: MemberDesk, **query: Any) -> list[str]:
    """Return the names in the list, in order."""
    page = browser.client.get(LIST, query)
    assert page.status_code == 200
    return [row.display_name for row in page.context["table"].data]


def test_a_row_shows_the_points_and_what_is_unusual(admin: MemberDesk, sita: Account) -> None:
    Account.objects.update(available=0, pending=20, held=30, owed=4000, tier="Gold", blocked=True)

    page = admin.client.get(LIST).content.decode()

    assert f'href="/admin/khalti/members/{sita.pk}/"' in page
    for text in ("Sita Maharjan", "sita@example.com", "20", "30", "4,000", "Gold", "blocked"):
        assert text in page


def test_the_newest_member_comes_first(admin: MemberDesk, sita: Account) -> None:
    member(customer("Ram"))

    assert names(admin) == ["Ram", "Sita Maharjan"]


@pytest.mark.parametrize("query", ["sit mah", "MAHARJAN", "sita@example.com", "sita@"])
def test_a_member_is_found_by_name_and_e_mail_address(admin: MemberDesk, sita: Account, query: str) -> None:
    member(customer("Ram"))

    assert names(admin, q=query) == ["Sita Maharjan"]


@pytest.mark.parametrize("query", ["9841000009", "+977-9841000009", "order-77"])
def test_a_member_is_found_by_the_data_of_an_order(
    admin: MemberDesk, sita: Account, shop: FakeShop, query: str
) -> None:
    member(customer("Ram"))
    buyer = Customer(name="Her sister", email="sister@example.com", phone="+9779841000009")
    cart = shop.cart("order-77", member_id=sita.member_id, customer=buyer)
    flow.place_order(shop.freeze(cart), method=PaymentMethod.COD)

    assert names(admin, q=query) == ["Sita Maharjan"]


def test_a_search_without_matches_says_so(admin: MemberDesk, sita: Account) -> None:
    page = admin.client.get(LIST, {"q": "gita"}).content.decode()

    assert "No members found." in page


def test_a_renamed_user_is_found_by_the_new_name(admin: MemberDesk, sita: Account) -> None:
    assert names(admin, q="maharjan") == ["Sita Maharjan"]
    user = as_user(sita)
    user.last_name = "Shakya"
    user.save()

    assert (names(admin, q="shakya"), names(admin, q="maharjan")) == (["Sita Shakya"], [])


def as_user(account: Account) -> User:
    return User.objects.get(pk=account.member_id)


def test_filters_select_members_who_owe_are_blocked_or_have_expiring_points(admin: MemberDesk, sita: Account) -> None:
    Lot.objects.update(expires_at=timezone.now() + timedelta(days=31))
    owing, blocked = member(customer("Owen")), member(customer("Fritz"))
    soon = member(customer("Sonam"), 5)
    Account.objects.filter(pk=owing.pk).update(owed=5)
    Account.objects.filter(pk=blocked.pk).update(blocked=True)
    Lot.objects.filter(account=soon).update(expires_at=timezone.now() + timedelta(days=29))

    assert names(admin, only="owes") == ["Owen"]
    assert names(admin, only="blocked") == ["Fritz"]
    assert names(admin, only="expiring") == ["Sonam"]
    assert names(admin, only=["owes", "blocked"]) == []
    assert names(admin, only="expiring", q="sonam") == ["Sonam"]


def test_expired_points_do_not_count_as_expiring(admin: MemberDesk, sita: Account) -> None:
    Lot.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert names(admin, only="expiring") == []


def test_a_merged_or_erased_member_is_not_shown_as_blocked(admin: MemberDesk, sita: Account) -> None:
    erased, merged = member(customer("Ram")), member(customer("Gita"))
    Account.objects.filter(pk=erased.pk).update(member_id=None, blocked=True)
    Account.objects.filter(pk=merged.pk).update(successor=sita, blocked=True)

    page = admin.client.get(LIST)

    assert names(admin, only="blocked") == []
    assert [row.tags for row in page.context["table"].data] == [["merged"], ["erased"], []]


def test_the_site_is_a_filter_only_where_there_are_several(admin: MemberDesk, sita: Account) -> None:
    alone = admin.client.get(LIST)
    root = Site.objects.get(is_default_site=True).root_page
    kids = Site.objects.create(hostname="kids.example", root_page=root, site_name="For children")
    member(customer("Ram"), site_key=conf.site_key_of(kids))
    other = Program.objects.get(site_key=conf.site_key_of(kids))

    assert "site" not in alone.context["filters"].filters
    assert names(admin) == ["Ram", "Sita Maharjan"]
    assert names(admin, site=other.pk) == ["Ram"]


def test_a_site_is_shown_by_its_name_also_once_it_is_deleted(admin: MemberDesk, sita: Account) -> None:
    Site.objects.filter(is_default_site=True).update(site_name="Saraswati")
    root = Site.objects.get(is_default_site=True).root_page
    kids = Site.objects.create(hostname="kids.example", root_page=root, site_name="Saraswati for children")
    gone = Site.objects.create(hostname="gone.example", root_page=root)
    member(customer("Ram"), site_key=conf.site_key_of(kids))
    member(customer("Gita"), site_key=conf.site_key_of(gone))
    gone.delete()

    page = admin.client.get(LIST)
    file = b"".join(admin.client.get(LIST, {"export": "csv"}).streaming_content).decode("utf-8-sig")

    sites = ["gone.example (deleted)", "Saraswati for children", "Saraswati"]
    assert [row.site for row in page.context["table"].data] == sites
    assert [row["Site"] for row in csv.DictReader(io.StringIO(file))] == sites


def test_a_search_indexes_a_bounded_number_of_new_accounts(admin: MemberDesk, shop: FakeShop) -> None:
    program = ledger.current_version("default").program
    Account.objects.bulk_create(Account(program=program, member_id=f"m{number}") for number in range(1_005))

    admin.client.get(LIST, {"q": "sita"})
    after_one = Account.objects.filter(search_text=None).count()
    admin.client.get(LIST, {"q": "sita"})

    assert (after_one, Account.objects.filter(search_text=None).count()) == (5, 0)


@pytest.mark.parametrize("query", [{"only": "nonsense"}, {"q": "sita\0"}], ids=["filter", "search"])
def test_an_invalid_filter_exports_nothing(admin: MemberDesk, sita: Account, query: dict[str, str]) -> None:
    responses = [admin.client.get(url, {**query, "export": "csv"}) for url in (LIST, f"{LIST}results/")]

    assert [response.status_code for response in responses] == [400, 400]
    for response in responses:
        assert "Nothing was exported:" in response.content.decode()
        assert "sita@example.com" not in response.content.decode()


def test_an_unknown_filter_or_order_is_ignored(admin: MemberDesk, sita: Account) -> None:
    assert names(admin, only="nonsense") == ["Sita Maharjan"]
    assert names(admin, ordering="member_id") == ["Sita Maharjan"]


def test_the_results_are_served_without_the_page_around_them(admin: MemberDesk, sita: Account) -> None:
    page = admin.client.get(f"{LIST}results/", {"q": "sita"}).content.decode()

    assert "Sita Maharjan" in page
    assert "<html" not in page


@pytest.mark.parametrize(
    ("url", "query"),
    [
        (LIST, {}),
        (LIST, {"p": 3}),
        (LIST, {"only": "expiring"}),
        (f"{LIST}results/", {"q": "nepali"}),
    ],
    ids=["first", "third", "expiring", "found while typing"],
)
def test_a_page_of_a_long_list_takes_a_bounded_number_of_queries(
    editor: MemberDesk, shop: FakeShop, url: str, query: dict[str, Any]
) -> None:
    program = ledger.current_version("default").program
    users = User.objects.bulk_create(
        User(username=f"u{number}", first_name="Nepali", email=f"u{number}@example.com") for number in range(300)
    )
    accounts = Account.objects.bulk_create(
        Account(program=program, member_id=str(user.pk), available=10) for user in users
    )
    soon = timezone.now() + timedelta(days=5)
    Lot.objects.bulk_create(
        Lot(account=account, source="x", original=10, remaining=10, available_at=timezone.now(), expires_at=soon)
        for account in accounts
    )
    index_members()  # as loyalty_run does
    Site.get_site_root_paths()  # which Wagtail caches

    with CaptureQueriesContext(connection) as sent:
        page = editor.client.get(url, query)

    assert len(page.context["table"].data) == 20
    assert len(sent) <= MAX_QUERIES, "\n".join(query["sql"] for query in sent.captured_queries)


def test_markup_in_a_name_is_escaped_on_every_page(admin: MemberDesk, shop: FakeShop) -> None:
    script = "<script>alert(1)</script>"
    account = member(customer("Eve", script, email='"><img src=x>@example.com'), 10)

    pages = [
        admin.client.get(url).content.decode() for url in (LIST, reverse("loyalink_khalti_member", args=[account.pk]))
    ]

    for page in pages:
        assert script not in page
        assert "<img src=x>" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_an_export_has_all_members_and_no_cell_is_a_formula(admin: MemberDesk, sita: Account) -> None:
    member(customer("=1+1", "", email="+9@example.com", username="eve"))

    file = b"".join(admin.client.get(LIST, {"export": "csv"}).streaming_content).decode("utf-8-sig")
    xlsx = admin.client.get(LIST, {"export": "xlsx"}).getvalue()

    lines = file.splitlines()
    assert lines[0].startswith("Number,Member,E-mail,Site,Available")
    assert "'=1+1,'+9@example.com" in lines[1]
    assert "Sita Maharjan,sita@example.com,localhost,1000" in lines[2]
    cells = [cell for row in load_workbook(io.BytesIO(xlsx)).active.iter_rows() for cell in row]
    assert "Sita Maharjan" in [cell.value for cell in cells]
    assert not [cell for cell in cells if cell.data_type == "f"]


def test_an_export_has_only_the_search_results(admin: MemberDesk, sita: Account) -> None:
    member(customer("Ram"))

    file = b"".join(admin.client.get(LIST, {"export": "csv", "q": "ram"}).streaming_content).decode()

    assert ("Ram" in file, "Sita" in file) == (True, False)


def test_without_the_permission_there_is_no_export(sita: Account) -> None:
    browser = MemberDesk(staff.staff_user("nima", "view_account"))

    assert "export=csv" not in browser.client.get(LIST).content.decode()
    assert browser.client.get(LIST, {"export": "csv"}).status_code == 403


def test_an_empty_list_shows_the_first_three_steps(admin: MemberDesk, shop: FakeShop) -> None:
    page = admin.client.get(LIST).content.decode()

    for title in ("Set the rate", "Turn on Khalti", "Make a test payment"):
        assert title in page
    khaltis = reverse("wagtailsettings:edit", args=("loyalink_khalti", "khaltisettings", 1)).removesuffix("1/")
    assert khaltis in page
    assert 'href="https://shop.example/"' in page


def test_the_menu_has_the_list_for_staff_who_may_see_members(
    admin: MemberDesk, editor: MemberDesk, shop: FakeShop
) -> None:
    other = MemberDesk(staff.staff_user("nima"))

    assert "Loyalty" in editor.client.get("/admin/").content.decode()
    assert "Loyalty" not in other.client.get("/admin/").content.decode()
