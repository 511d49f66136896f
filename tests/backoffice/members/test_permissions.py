"""Who may open which page of a member, and who gets a 403."""

import pytest
from django.test import Client
from django.urls import reverse

from loyalink_khalti.loyalty.models import Account, Hold
from loyalink_khalti.payments.models import Payment
from tests.backoffice import staff

from .conftest import MemberDesk, customer, logged_actions, url_of

pytestmark = pytest.mark.django_db(transaction=True)

LIST, RESULTS = "/admin/khalti/members/", "/admin/khalti/members/results/"
PAGES = ("list", "results", "csv", "", "adjust", "block", "merge", "export", "erase")
REQUIRED = {
    "list": "view_account", "results": "view_account", "": "view_account", "adjust": "adjust_account",
    "block": "change_account", "merge": "change_account", "export": "export_account", "erase": "delete_account",
    "csv": "export_account",
}  # fmt: skip


def url(page: str, account: Account) -> str:
    return {"list": LIST, "results": RESULTS, "csv": f"{LIST}?export=csv"}.get(page) or url_of(account, page)


def allowed_pages(client: Client, account: Account) -> set[str]:
    """Return the pages that open; each of the others answers 403."""
    codes = {page: client.get(url(page, account)).status_code for page in PAGES}
    assert set(codes.values()) <= {200, 403}, codes
    return {page for page, code in codes.items() if code == 200}


def test_anonymous_users_are_sent_to_the_login(sita: Account) -> None:
    for page in PAGES:
        response = Client().get(url(page, sita))

        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/"), page


def test_a_customer_may_open_nothing(sita: Account) -> None:
    browser = MemberDesk(customer("Ram")).client

    for page in PAGES:
        response = browser.get(url(page, sita))
        assert (response.status_code, response["Location"].partition("?")[0]) == (302, "/admin/login/"), page
        by_script = browser.get(url(page, sita), headers={"x-requested-with": "XMLHttpRequest"})
        assert by_script.status_code == 403, page


def test_staff_without_a_permission_may_open_nothing(sita: Account) -> None:
    assert allowed_pages(MemberDesk(staff.staff_user("nima")).client, sita) == set()


def test_shop_editors_may_do_everything_but_erase(editor: MemberDesk, sita: Account) -> None:
    assert allowed_pages(editor.client, sita) == set(PAGES) - {"erase"}


def test_shop_accountants_may_adjust_and_export(accountant: MemberDesk, sita: Account) -> None:
    assert allowed_pages(accountant.client, sita) == {"list", "results", "csv", "", "adjust", "export"}


def test_a_superuser_may_do_everything(admin: MemberDesk, sita: Account) -> None:
    assert allowed_pages(admin.client, sita) == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_each_page_needs_its_own_permission(sita: Account, page: str) -> None:
    required = {"view_account", REQUIRED[page]}
    others = {*REQUIRED.values(), "adjust_beyond_limit", "change_flag"} - {REQUIRED[page]}

    with_it, without = staff.staff_user("with", *required), staff.staff_user("without", *others)

    assert MemberDesk(with_it).client.get(url(page, sita)).status_code == 200
    assert MemberDesk(without).client.get(url(page, sita)).status_code == 403


@pytest.mark.parametrize("action", ["adjust", "block", "merge", "erase", "check_now"])
def test_staff_who_may_only_view_change_nothing(sita: Account, pending_payment: Payment, action: str) -> None:
    viewer = MemberDesk(staff.staff_user("viewer", "view_account", "view_payment", "export_account"))
    before = Account.objects.values().get(pk=sita.pk)
    args = [Hold.objects.get().pk] if action == "check_now" else []

    data = {"confirmation": "sita@example.com", "blocked": "1", "reason": "other", "points": "5", "direction": "add"}
    viewer.submit(sita, action, *args, status=403, **data, step="confirm", key="5a9f1a70-0000-4000-8000-000000000001")

    assert Account.objects.values().get(pk=sita.pk) == before
    assert logged_actions() == []


def test_a_script_without_permission_gets_a_403(sita: Account) -> None:
    """Wagtail turns PermissionDenied into a redirect, which a script takes for success."""
    response = MemberDesk(staff.staff_user("nima")).client.post(url_of(sita, "adjust"))

    assert response.status_code == 403
    assert "Nothing was changed." in response.content.decode()


def test_the_url_names_that_other_rooms_link_to() -> None:
    assert reverse("loyalink_khalti_members") == LIST
    assert reverse("loyalink_khalti_members_results") == RESULTS
    assert reverse("loyalink_khalti_member", args=[7]) == f"{LIST}7/"
