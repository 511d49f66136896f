""" "Buy with Khalti" on a page: choices, amounts as people write them, and what is sold out."""

from typing import Any

import pytest
from django.template import engines
from django.test import RequestFactory
from wagtail.models import Page

from loyalink_khalti.hosts.page.basket import SessionBasket
from loyalink_khalti.hosts.page.blocks import BuyWithKhaltiBlock
from loyalink_khalti.hosts.page.product_form import ProductForm
from tests.hosts.page.conftest import TeaHouse, add, new_request
from tests.hosts.page.site.models import DonationPage, TextPage, TrekPage

pytestmark = pytest.mark.django_db
AMOUNTS = [("amount", 500_00), ("amount", 1000_00)]
CHOICES = [("choice", {"title": title, "price": price, "sku": ""}) for title, price in (("L", 900_00), ("S", None))]


def errors(form: ProductForm, field: str) -> str:
    assert not form.is_valid()
    return " ".join(form.errors[field])


def render(source: str, request: Any = None, **context: Any) -> str:
    template = engines["django"].from_string("{% load loyalink_khalti_page %}" + source)
    return str(template.render(context, request or new_request()))


def test_amounts_are_read_as_people_write_them(house: TeaHouse) -> None:
    """W13"""
    fund = house.donation(suggested_amounts=AMOUNTS, minimum_amount=10_00)
    read = {"1,200": 120_000, "१००": 100_00, "Rs 500": 500_00, "रु 1,00,000": 100_000_00, " 99.50 ": 99_50}
    refused = ("9.99", "-1", "1e9", "1,50", "ten", "", "99.999", "10,00,000.01", "\0", "1" * 40)

    for typed, paisa in read.items():
        form = ProductForm({"suggestion": "", "amount": typed}, product=fund)
        assert form.is_valid(), (typed, form.errors)
        assert form.item.amount == paisa, typed
    for typed in refused:
        assert errors(ProductForm({"suggestion": "", "amount": typed}, product=fund), "amount"), typed


def test_a_suggested_amount_is_one_click_and_two_amounts_are_refused(house: TeaHouse) -> None:
    """W13"""
    fund = house.donation(suggested_amounts=AMOUNTS)

    chosen = ProductForm({"suggestion": "100000", "amount": ""}, product=fund)
    both = ProductForm({"suggestion": "100000", "amount": "700"}, product=fund)
    made_up = ProductForm({"suggestion": "12300", "amount": ""}, product=fund)

    assert chosen.is_valid()
    assert chosen.item.amount == 1000_00
    assert "Rs 700.00" in errors(both, "amount")
    assert errors(made_up, "amount")


def test_a_choice_is_needed_and_one_that_is_sold_out_cannot_be_chosen_on_the_page(house: TeaHouse) -> None:
    trek = house.trek(rupees=800, choices=CHOICES, stock=0)
    large, small = (choice.id for choice in trek.product_choices())
    house.fill(trek, 2, choice=large)

    html = render("{% buy_with_khalti page %}", page=trek)

    assert "Sold out" in html
    assert f'value="{small}"\n             disabled' in html
    assert errors(ProductForm({"quantity": "1"}, product=trek), "choice")
    assert errors(ProductForm({"choice": "made-up", "quantity": "1"}, product=trek), "choice")
    form = ProductForm({"choice": large, "quantity": "२"}, product=trek)
    assert form.is_valid()
    assert (form.item.choice, form.item.quantity) == (large, 2)
    for typed in ("0", "-1", "1.5", "1000", "", "x"):
        assert errors(ProductForm({"choice": large, "quantity": typed}, product=trek), "quantity"), typed


def test_a_page_that_has_sold_out_has_no_button(house: TeaHouse) -> None:
    html = render("{% buy_with_khalti page %}", page=house.trek(stock=0))

    assert "Sold out" in html
    assert "<form" not in html


def test_the_tag_takes_any_page_and_shows_nothing_for_one_that_sells_nothing(house: TeaHouse) -> None:
    trek = house.trek(rupees=500)
    text = house.site.root_page.add_child(instance=TextPage(title="About us"))

    html = render("{% buy_with_khalti page %}{% buy_with_khalti page %}", page=Page.objects.get(pk=trek.pk))

    assert html.count("<form") == 2
    assert f'id="lk-{trek.pk}-quantity"' in html
    assert f'id="lk-{trek.pk}-2-quantity"' in html  # no id twice
    assert render("{% buy_with_khalti page %}", page=text) == ""


def test_the_basket_link_counts_the_products_and_starts_no_session(house: TeaHouse) -> None:
    request = new_request()
    assert 'class="lk-count"' not in render("{% khalti_basket_link %}", request)
    assert request.session.is_empty()

    add(request, house.trek(), 3)

    assert '<span class="lk-count">3</span>' in render("{% khalti_basket_link %}", request)
    assert "Basket" in render("{% khalti_basket_link %}", RequestFactory().get("/"))  # without sessions
    assert SessionBasket(request).count == 3


def test_an_editor_chooses_a_page_that_sells_in_the_block(house: TeaHouse) -> None:
    block = BuyWithKhaltiBlock()
    trek = house.trek()

    assert set(block.child_blocks["page"].target_models) >= {TrekPage, DonationPage}
    assert TextPage not in block.child_blocks["page"].target_models
    value = block.to_python({"page": trek.pk, "show_title": True, "button_text": "Book"})
    html = block.render(value, context={"request": new_request()})
    assert "Book" in html
    assert "Langtang trek" in html
    trek.unpublish()
    assert "<form" not in block.render(block.to_python({"page": trek.pk}), context={"request": new_request()})
