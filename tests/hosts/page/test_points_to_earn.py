"""What pages that sell say they earn."""

from fractions import Fraction

import pytest
from django.test import Client

from loyalink_khalti import shown_points
from loyalink_khalti.hosts.page.models import Category
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Points
from loyalink_khalti.shown_points import PointsToEarn
from tests.statements import sent_statements

from .conftest import TeaHouse, new_member, new_request

pytestmark = [pytest.mark.django_db, pytest.mark.same_on_both]


def test_a_page_says_what_one_unit_of_it_earns_at_least(house: TeaHouse) -> None:
    page, gift = house.trek(), house.trek("Gift", earns_points=False)
    fund = house.donation(minimum_amount=10_000)

    found = shown_points.of_products([page, gift, fund, object()], new_request())

    assert [each.points for each in found] == [50, 0, 10, 0]
    assert found[2] == PointsToEarn(points=Points(10), or_more=True)


def test_the_categories_of_all_pages_are_read_at_once_where_rules_name_some(house: TeaHouse) -> None:
    category = Category.objects.create(name="Treks")
    pages = [house.trek(f"Trek {number}") for number in range(5)]
    for page in pages:
        page.product_categories.set([category])
        page.save()
    request = new_request()
    shown_points.standing(request)
    ledger.set_rules("default", Rules(multipliers=((f"page:{category.pk}", Fraction(2)),)))

    with sent_statements() as sent:
        found = shown_points.of_products(pages, request)

    assert {each.points for each in found} == {100}
    assert len([each for each in sent if "product_categories" in each]) == 1


def test_a_product_s_page_says_it_to_members_and_guests(house: TeaHouse) -> None:
    page, browser = house.trek(), Client()

    guests = browser.get(page.url).content.decode()
    browser.force_login(new_member(), backend="django.contrib.auth.backends.ModelBackend")
    members = browser.get(page.url).content.decode()

    assert "A member would earn <strong>50 points</strong>" in guests
    assert "Earn <strong>50 points</strong>" in members
