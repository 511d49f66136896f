"""What editors type in Wagtail's page editor: rupees as people write them, paisa in the database."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from wagtail.test.utils.form_data import nested_form_data, streamfield

from tests.hosts.page.conftest import TeaHouse
from tests.hosts.page.site.models import TrekPage

pytestmark = pytest.mark.django_db


def post(editor: Client, page: TrekPage, **typed: Any) -> Any:
    """Publish what an editor has typed. Return the errors by field."""
    form = {
        "title": page.title,
        "slug": page.slug,
        "price": "",
        "sku": "",
        "choices": streamfield([]),
        "suggested_amounts": streamfield([]),
        "minimum_amount": "",
        "maximum_amount": "",
        "earns_points": "on",
        "comments": {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0, "MIN_NUM_FORMS": 0, "MAX_NUM_FORMS": ""},
        "action-publish": "action-publish",
        **typed,
    }
    answer = editor.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), nested_form_data(form))
    return {} if answer.status_code == 302 else {**answer.context["form"].errors}


def test_editors_type_rupees_as_people_write_them(house: TeaHouse, admin_client: Client) -> None:
    """W7"""
    page = house.trek()
    choices = streamfield(
        [
            ("choice", {"title": "May", "price": "Rs 1,200", "sku": "MAY"}),
            ("choice", {"title": "June", "price": "१५००.५०", "sku": ""}),
            ("choice", {"title": "July", "price": "", "sku": ""}),
        ]
    )

    assert post(admin_client, page, price="१,०००", choices=choices) == {}

    page = TrekPage.objects.get()
    assert (page.price, [choice.price for choice in page.product_choices()]) == (1000_00, [1200_00, 1500_50, 1000_00])
    form = admin_client.get(reverse("wagtailadmin_pages:edit", args=[page.pk])).content.decode()
    assert 'value="1,000"' in form
    assert "1,500.50" in form


def test_what_cannot_be_sold_is_not_published(house: TeaHouse, admin_client: Client) -> None:
    """W7"""
    page = house.trek()
    free = {"free_amount": "on", "minimum_amount": "500", "maximum_amount": "100"}
    choice = streamfield([("choice", {"title": "May", "price": "", "sku": ""})])

    for typed, field in (
        ({}, "price"), ({"price": "0"}, "price"),
        ({"price": "-1"}, "price"), ({"price": "1,50"}, "price"), ({"price": "free"}, "price"),
        ({"choices": choice}, "price"), (free, "maximum_amount"),
        ({"free_amount": "on", "choices": choice}, "free_amount"),
    ):  # fmt: skip
        assert list(post(admin_client, page, **typed)) == [field], typed
    assert post(admin_client, page, free_amount="on", suggested_amounts=streamfield([("amount", "500")])) == {}
    assert TrekPage.objects.get().suggestions == [500_00]
