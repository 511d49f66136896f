"""The list of members: found by what people know them by, narrowed, never slower for being long."""

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

from loyalink_khalti import flow
from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.loyalty.programmes import Program
from loyalink_khalti.ports import Customer, Method
from loyalink_khalti.testing import FakeShop
from tests.backoffice import staff

from .conftest import Desk, member, person

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/khalti/members/"
MOST_STATEMENTS = 12


def names(browser: Desk, **query: Any) -> list[str]:
    """The members that the list shows, from above."""
    page = browser.client.get(LIST, query)
    assert page.status_code == 200
    return [row.called for row in page.context["table"].data]


def test_a_row_says_how_many_points_and_what_is_unusual(admin: Desk, sita: Account) -> None:
    Account.objects.update(available=0, pending=20, held=30, owed=4000, tier="Gold", frozen=True)

    page = admin.client.get(LIST).content.decode()

    assert f'href="/admin/khalti/members/{sita.pk}/"' in page
    for words in ("Sita Maharjan", "sita@example.com", "20", "30", "4,000", "Gold", "frozen"):
        assert words in page


def test_the_newest_member_comes_first(admin: Desk, sita: Account) -> None:
    member(person("Ram"))

    assert names(admin) == ["Ram", "Sita Maharjan"]


@pytest.mark.parametrize("words", ["sit mah", "MAHARJAN", "sita@example.com", "sita@"])
def test_a_member_is_found_by_name_and_e_mail_address(admin: Desk, sita: Account, words: str) -> None:
    member(person("Ram"))

    assert names(admin, q=words) == ["Sita Maharjan"]


@pytest.mark.parametrize("words", ["9841000009", "+977-9841000009", "order-77"])
def test_a_member_is_found_by_what_was_typed_at_the_checkout(
    admin: Desk, sita: Account, shop: FakeShop, words: str
) -> None:
    member(person("Ram"))
    typed = Customer(name="Her sister", email="sister@example.com", phone="+9779841000009")
    cart = shop.cart("order-77", member_id=sita.member_id, customer=typed)
    flow.place(shop.freeze(cart), method=Method.COD)

    assert names(admin, q=words) == ["Sita Maharjan"]


def test_what_nobody_is_called_finds_nobody(admin: Desk, sita: Account) -> None:
    page = admin.client.get(LIST, {"q": "gita"}).content.decode()

    assert "No member is like that." in page


def test_a_renamed_user_is_found_by_the_new_name(admin: Desk, sita: Account) -> None:
    assert names(admin, q="maharjan") == ["Sita Maharjan"]
    user = as_user(sita)
    user.last_name = "Shakya"
    user.save()

    assert (names(admin, q="shakya"), names(admin, q="maharjan")) == (["Sita Shakya"], [])


def as_user(account: Account) -> User:
    return User.objects.get(pk=account.member_id)


def test_the_list_is_narrowed_to_those_who_owe_are_frozen_or_about_to_lose_points(admin: Desk, sita: Account) -> None:
    Lot.objects.update(expires_at=timezone.now() + timedelta(days=31))
    owing, frozen = member(person("Owen")), member(person("Fritz"))
    soon = member(person("Sonam"), 5)
    Account.objects.filter(pk=owing.pk).update(owed=5)
    Account.objects.filter(pk=frozen.pk).update(frozen=True)
    Lot.objects.filter(account=soon).update(expires_at=timezone.now() + timedelta(days=29))

    assert names(admin, only="owes") == ["Owen"]
    assert names(admin, only="frozen") == ["Fritz"]
    assert names(admin, only="expiring") == ["Sonam"]
    assert names(admin, only=["owes", "frozen"]) == []
    assert names(admin, only="expiring", q="sonam") == ["Sonam"]


def test_points_that_have_expired_expire_no_more(admin: Desk, sita: Account) -> None:
    Lot.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert names(admin, only="expiring") == []


def test_who_was_merged_or_erased_is_not_said_to_be_frozen(admin: Desk, sita: Account) -> None:
    erased, merged = member(person("Ram")), member(person("Gita"))
    Account.objects.filter(pk=erased.pk).update(member_id=None, frozen=True)
    Account.objects.filter(pk=merged.pk).update(successor=sita, frozen=True)

    page = admin.client.get(LIST)

    assert names(admin, only="frozen") == []
    assert [row.chips for row in page.context["table"].data] == [["merged"], ["erased"], []]


def test_sites_are_told_apart_only_where_there_are_several(admin: Desk, sita: Account) -> None:
    alone = admin.client.get(LIST)
    Site.objects.create(
        hostname="kids.example", root_page=Site.objects.get(is_default_site=True).root_page, site_name="For children"
    )
    member(person("Ram"), site_key="kids.example")
    other = Program.objects.get(site_key="kids.example")

    assert "site" not in alone.context["filters"].filters
    assert names(admin) == ["Ram", "Sita Maharjan"]
    assert names(admin, site=other.pk) == ["Ram"]


def test_a_site_is_called_what_editors_call_it_and_by_its_key_once_it_is_gone(admin: Desk, sita: Account) -> None:
    member(person("Ram"), site_key="kids.example")
    member(person("Gita"), site_key="gone.example")
    Site.objects.filter(is_default_site=True).update(site_name="Saraswati")
    root = Site.objects.get(is_default_site=True).root_page
    Site.objects.create(hostname="kids.example", root_page=root, site_name="Saraswati for children")

    page = admin.client.get(LIST)
    file = b"".join(admin.client.get(LIST, {"export": "csv"}).streaming_content).decode("utf-8-sig")

    sites = ["gone.example", "Saraswati for children", "Saraswati"]
    assert [row.site for row in page.context["table"].data] == sites
    assert [row["Site"] for row in csv.DictReader(io.StringIO(file))] == sites


def test_who_looks_first_does_not_wait_until_everybody_is_named(admin: Desk, shop: FakeShop) -> None:
    program = programmes.current("default").program
    Account.objects.bulk_create(Account(program=program, member_id=f"m{number}") for number in range(1_005))

    admin.client.get(LIST, {"q": "sita"})
    after_one = Account.objects.filter(words=None).count()
    admin.client.get(LIST, {"q": "sita"})

    assert (after_one, Account.objects.filter(words=None).count()) == (5, 0)


@pytest.mark.parametrize("query", [{"only": "nonsense"}, {"q": "sita\0"}], ids=["filter", "search"])
def test_a_question_that_cannot_be_read_takes_nobody_along(admin: Desk, sita: Account, query: dict[str, str]) -> None:
    answers = [admin.client.get(url, {**query, "export": "csv"}) for url in (LIST, f"{LIST}results/")]

    assert [answer.status_code for answer in answers] == [400, 400]
    for answer in answers:
        assert "Nothing was exported:" in answer.content.decode()
        assert "sita@example.com" not in answer.content.decode()


def test_nobody_is_asked_to_choose_what_does_not_exist(admin: Desk, sita: Account) -> None:
    assert names(admin, only="nonsense") == ["Sita Maharjan"]
    assert names(admin, ordering="member_id") == ["Sita Maharjan"]


def test_the_results_alone_come_without_the_frame(admin: Desk, sita: Account) -> None:
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
def test_a_page_of_a_long_list_takes_a_bounded_number_of_statements(
    editor: Desk, shop: FakeShop, url: str, query: dict[str, Any]
) -> None:
    program = programmes.current("default").program
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
    flow.people.name_accounts()  # as loyalty_run has done meanwhile
    Site.get_site_root_paths()  # which Wagtail remembers from one page to the next

    with CaptureQueriesContext(connection) as sent:
        page = editor.client.get(url, query)

    assert len(page.context["table"].data) == 20
    assert len(sent) <= MOST_STATEMENTS, "\n".join(query["sql"] for query in sent.captured_queries)


def test_scripts_in_names_stay_text_on_every_page(admin: Desk, shop: FakeShop) -> None:
    script = "<script>alert(1)</script>"
    account = member(person("Eve", script, email='"><img src=x>@example.com'), 10)

    pages = [
        admin.client.get(url).content.decode() for url in (LIST, reverse("loyalink_khalti_member", args=[account.pk]))
    ]

    for page in pages:
        assert script not in page
        assert "<img src=x>" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_file_has_everybody_and_no_name_in_it_is_a_formula(admin: Desk, sita: Account) -> None:
    member(person("=1+1", "", email="+9@example.com", username="eve"))

    file = b"".join(admin.client.get(LIST, {"export": "csv"}).streaming_content).decode("utf-8-sig")
    xlsx = admin.client.get(LIST, {"export": "xlsx"}).getvalue()

    lines = file.splitlines()
    assert lines[0].startswith("Number,Member,E-mail,Site,Available")
    assert "'=1+1,'+9@example.com" in lines[1]
    assert "Sita Maharjan,sita@example.com,localhost,1000" in lines[2]
    cells = [cell for row in load_workbook(io.BytesIO(xlsx)).active.iter_rows() for cell in row]
    assert "Sita Maharjan" in [cell.value for cell in cells]
    assert not [cell for cell in cells if cell.data_type == "f"]


def test_a_file_has_only_what_was_looked_for(admin: Desk, sita: Account) -> None:
    member(person("Ram"))

    file = b"".join(admin.client.get(LIST, {"export": "csv", "q": "ram"}).streaming_content).decode()

    assert ("Ram" in file, "Sita" in file) == (True, False)


def test_who_may_not_export_sees_no_button_and_gets_no_file(sita: Account) -> None:
    browser = Desk(staff.worker("nima", "view_account"))

    assert "export=csv" not in browser.client.get(LIST).content.decode()
    assert browser.client.get(LIST, {"export": "csv"}).status_code == 403


def test_where_nobody_has_points_the_first_three_steps_are_told(admin: Desk, shop: FakeShop) -> None:
    page = admin.client.get(LIST).content.decode()

    for words in ("Set the rate", "Switch Khalti on", "Make a test payment"):
        assert words in page
    khaltis = reverse("wagtailsettings:edit", args=("loyalink_khalti", "khaltisettings", 1)).removesuffix("1/")
    assert khaltis in page
    assert 'href="https://shop.example/"' in page


def test_the_menu_leads_there_for_whoever_may_see_members(admin: Desk, editor: Desk, shop: FakeShop) -> None:
    nobody = Desk(staff.worker("nima"))

    assert "Loyalty" in editor.client.get("/admin/").content.decode()
    assert "Loyalty" not in nobody.client.get("/admin/").content.decode()
