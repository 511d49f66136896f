"""The page on which a member turns e-mails about points off and on again, by the link in each of them."""

import pytest
from django.test import Client

from loyalink_khalti import flow
from loyalink_khalti.mail_rows import MailPreference

pytestmark = pytest.mark.django_db


@pytest.fixture
def link() -> str:
    return flow.subscription_path("default", "7")


def is_on(link: str) -> bool:
    return flow.mail_subscription(link.split("/")[-2]).is_on


def test_a_click_in_the_mail_program_unsubscribes_without_a_page_and_without_a_cookie(link: str) -> None:
    """T26"""
    response = Client(enforce_csrf_checks=True).post(link, {"List-Unsubscribe": "One-Click"})

    assert response.status_code == 200
    assert not is_on(link)


def test_the_page_says_what_is_so_changes_nothing_by_itself_and_leads_back(client: Client, link: str) -> None:
    before = client.get(link).content.decode()
    assert "No more e-mails about points" in before
    assert is_on(link)

    client.post(link, {"mails": "off"})
    after = client.get(link).content.decode()
    assert "Send them again" in after

    client.post(link, {"mails": "on"})
    assert is_on(link)
    assert MailPreference.objects.count() == 1


@pytest.mark.parametrize("letter", ["a", "म"], ids=["compressed", "of six characters each"])
def test_the_longest_names_of_a_site_and_a_member_fit_into_a_link(client: Client, letter: str) -> None:
    site_key, member_id = letter * 255, "7" * 64

    link = flow.subscription_path(site_key, member_id)

    assert client.get(link).status_code == 200
    subscription = flow.mail_subscription(link.split("/")[-2])
    assert (subscription.site_key, subscription.member_id) == (site_key, member_id)


def test_a_link_that_this_shop_never_made_is_not_found(client: Client, link: str) -> None:
    assert client.get(link[:-6] + "aaaa/").status_code == 404
    assert client.post(link[:-6] + "aaaa/").status_code == 404
