"""The points card for any shop; accepting the terms, leaving the programme, and joining it again by its pages."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import Client
from django.utils.html import strip_tags

from loyalink_khalti import flow
from loyalink_khalti.conf.shop_details import forget_shop_details
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.testing import FakeShop

pytestmark = pytest.mark.django_db(transaction=True)

CARD, ACCEPT, LEAVE = "/khalti/points/", "/khalti/points/accept/", "/khalti/points/leave/"


@pytest.fixture
def sita(shop: FakeShop) -> Client:
    """A member with 1,000 points, in her browser."""
    user = get_user_model().objects.create(pk=7, username="sita", email="sita@example.com")
    ledger.adjust(site_key="default", member_id="7", points=1000, key="opening balance", reason="opening")
    client = Client()
    client.force_login(user)
    forget_shop_details()
    return client


def text(response: HttpResponse) -> str:
    return re.sub(r"\s+", " ", strip_tags(response.content.decode()))


def version() -> str:
    return flow.program_terms("default").version


def test_the_card_of_any_shop_has_balance_tier_terms_history_and_membership(sita: Client) -> None:
    page = sita.get(CARD)

    shown = text(page)
    for part in (
        "1,000 points available", "worth Rs 100", "500 more points to Gold", "0 of 500 earned",
        "1,000 points, until", "Points from before +1,000 Balance 1,000", "Balance before 0",
        "You earn 1 point for every Rs 10 of products.", "You have been a member since",
    ):  # fmt: skip
        assert part in shown
    assert '<progress max="100" value="0"' in re.sub(r"\s+", " ", page.content.decode())
    assert "style=" not in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert Client().get(CARD).status_code == 302


def test_a_member_accepts_the_terms_and_comes_back_to_the_shops_page(sita: Client) -> None:
    answer = sita.post(ACCEPT, {"version": version(), "next": "/khalti/points/?x=1"})

    assert answer["Location"] == "/khalti/points/?x=1"
    shown = text(sita.get(CARD))
    assert f"You accepted the terms of the programme (version {version()}) on" in shown
    assert "Thank you. You have accepted the terms." in shown
    assert "Accept the terms</button>" not in sita.get(CARD).content.decode()


def test_terms_that_have_changed_meanwhile_are_not_accepted(sita: Client) -> None:
    sita.post(ACCEPT, {"version": "0"})

    assert "The terms have changed since you opened the page" in text(sita.get(CARD))
    assert not Account.objects.get(member_id="7").membership_events.exists()


def test_leaving_asks_first_says_what_is_lost_and_joining_again_starts_with_nothing(sita: Client) -> None:
    question = text(sita.get(LEAVE))
    assert "You lose 1,000 points, worth Rs 100." in question
    assert flow.membership(site_key="default", member_id="7").left_at is None

    left = text(sita.post(LEAVE, follow=True))
    again = sita.get(LEAVE)
    joined = text(sita.post(ACCEPT, {"version": version()}, follow=True))

    assert "You left the loyalty programme on" in left
    assert "points available" not in left
    assert again["Location"] == CARD  # nothing is asked twice
    assert "Welcome back!" in joined
    assert "0 points available" in joined


def test_leaving_takes_a_click_and_leads_to_no_foreign_page(sita: Client) -> None:
    foreign = "https://evil.example/"

    assert f'value="{CARD}"' in sita.get(f"{LEAVE}?next={foreign}").content.decode()
    assert sita.post(LEAVE, {"next": foreign})["Location"] == CARD
    assert Client(enforce_csrf_checks=True).post(LEAVE).status_code in {302, 403}


def test_a_blocked_member_reads_why_and_an_ended_account_offers_nothing(sita: Client) -> None:
    ledger.set_blocked(site_key="default", member_id="7", blocked=True, reason="doubt")
    blocked = text(sita.get(CARD))
    ledger.set_blocked(site_key="default", member_id="7", blocked=False)
    ledger.merge(site_key="default", member_id="7", into="8")
    ended = text(sita.get(CARD))

    assert "The shop has seen something unusual on your account" in blocked
    assert "Your orders still earn points, but you cannot use them now." in blocked
    assert "points were moved to another account" in ended
    assert "Leave the programme" not in ended
    assert sita.get(LEAVE)["Location"] == CARD


def test_older_pages_of_the_history_continue_where_the_newest_ends(sita: Client) -> None:
    for number in range(25):
        ledger.adjust(site_key="default", member_id="7", points=1, key=str(number), reason="goodwill")

    newest = sita.get(CARD).content.decode()
    older = re.search(r'href="\?before=(\d+)#points-history"', newest)
    assert older is not None
    page = text(sita.get(f"{CARD}?before={older[1]}"))

    assert "Balance before 1,005" in text(sita.get(CARD))
    assert "Gift from the shop +1 Balance 1,005" in page
    assert "Newest entries" in page
    assert "Balance before 0" in page
    assert "There are no older entries." in text(sita.get(f"{CARD}?before=0"))
    assert sita.get(f"{CARD}?before=x'").status_code == 200
