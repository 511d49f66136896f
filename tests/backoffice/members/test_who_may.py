"""Who may open which page of a member, and who is told that they may not."""

import pytest
from django.test import Client
from django.urls import reverse

from loyalink_khalti.loyalty.models import Account, Hold
from loyalink_khalti.payments.models import Payment
from tests.backoffice import staff

from .conftest import Desk, logged, person, url_of

pytestmark = pytest.mark.django_db(transaction=True)

LIST, RESULTS = "/admin/khalti/members/", "/admin/khalti/members/results/"
PAGES = ("list", "results", "csv", "", "adjust", "freeze", "merge", "export", "erase")
NEEDED = {
    "list": "view_account", "results": "view_account", "": "view_account", "adjust": "adjust_account",
    "freeze": "change_account", "merge": "change_account", "export": "export_account", "erase": "delete_account",
    "csv": "export_account",
}  # fmt: skip


def url(page: str, account: Account) -> str:
    return {"list": LIST, "results": RESULTS, "csv": f"{LIST}?export=csv"}.get(page) or url_of(account, page)


def opened(client: Client, account: Account) -> set[str]:
    """The pages that open; each other one is a 403."""
    codes = {page: client.get(url(page, account)).status_code for page in PAGES}
    assert set(codes.values()) <= {200, 403}, codes
    return {page for page, code in codes.items() if code == 200}


def test_who_is_not_logged_in_is_sent_to_log_in(sita: Account) -> None:
    for page in PAGES:
        answer = Client().get(url(page, sita))

        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/"), page


def test_a_customer_gets_into_nothing(sita: Account) -> None:
    customer = Desk(person("Ram")).client

    for page in PAGES:
        answer = customer.get(url(page, sita))
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/admin/login/"), page
        in_place = customer.get(url(page, sita), headers={"x-requested-with": "XMLHttpRequest"})
        assert in_place.status_code == 403, page


def test_staff_without_a_permission_of_ours_are_refused(sita: Account) -> None:
    assert opened(Desk(staff.worker("nima")).client, sita) == set()


def test_shop_editors_may_all_but_erase(editor: Desk, sita: Account) -> None:
    assert opened(editor.client, sita) == set(PAGES) - {"erase"}


def test_accountants_adjust_and_export(accountant: Desk, sita: Account) -> None:
    assert opened(accountant.client, sita) == {"list", "results", "csv", "", "adjust", "export"}


def test_the_admin_may_everything(admin: Desk, sita: Account) -> None:
    assert opened(admin.client, sita) == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_each_page_needs_its_own_permission(sita: Account, page: str) -> None:
    needed = {"view_account", NEEDED[page]}
    others = {*NEEDED.values(), "adjust_beyond_limit", "change_flag"} - {NEEDED[page]}

    with_it, without = staff.worker("with", *needed), staff.worker("without", *others)

    assert Desk(with_it).client.get(url(page, sita)).status_code == 200
    assert Desk(without).client.get(url(page, sita)).status_code == 403


@pytest.mark.parametrize("deed", ["adjust", "freeze", "merge", "erase", "ask"])
def test_who_may_only_look_changes_nothing(sita: Account, waiting: Payment, deed: str) -> None:
    looker = Desk(staff.worker("looker", "view_account", "view_payment", "export_account"))
    before = Account.objects.values().get(pk=sita.pk)
    more = [Hold.objects.get().pk] if deed == "ask" else []

    typed = {"typed": "sita@example.com", "frozen": "1", "reason": "other", "points": "5", "direction": "add"}
    looker.post(sita, deed, *more, status=403, **typed, step="confirm", key="5a9f1a70-0000-4000-8000-000000000001")

    assert Account.objects.values().get(pk=sita.pk) == before
    assert logged() == []


def test_a_refused_script_sees_the_refusal(sita: Account) -> None:
    """Wagtail turns PermissionDenied into a redirect, which a script takes for success."""
    answer = Desk(staff.worker("nima")).client.post(url_of(sita, "adjust"))

    assert answer.status_code == 403
    assert "Nothing was changed." in answer.content.decode()


def test_names_of_the_pages_are_what_others_lead_to() -> None:
    assert reverse("loyalink_khalti_members") == LIST
    assert reverse("loyalink_khalti_members_results") == RESULTS
    assert reverse("loyalink_khalti_member", args=[7]) == f"{LIST}7/"
